"""The balance of packets: counters of every turn their way can take, and the sums that must agree."""

# One name a reason, in the order of CopyLeft; tests/test_balance.py holds it against the enum.
LEFT_NAMES = (
    "paused",
    "not_ready",
    "other_encoding",
    "no_key_frame",
    "above_layer",
    "late",
    "empty",
    "no_memory",
    "gone",
)


cdef dict balance_counters(const Balance *balance):
    totals = {f"rtp_copies_left_{LEFT_NAMES[i]}": balance.left[i] for i in range(<int>LEFT_COUNT)}
    totals["rtp_packets_accepted"] = balance.accepted
    totals["rtp_packets_gathered"] = balance.gathered
    totals["rtp_packets_forgotten"] = balance.forgotten
    totals["rtp_packets_offered"] = balance.offered
    totals["rtp_copies_due"] = balance.due
    totals["rtp_copies_again"] = balance.again
    totals["rtp_copies_filled"] = balance.filled
    totals["rtp_copies_held"] = balance.held
    totals["rtp_packets_resent"] = balance.resent
    totals["rtp_packets_padding"] = balance.padding
    totals["rtp_packets_unprotected"] = balance.unprotected
    totals["rtp_packets_no_room"] = balance.no_room
    totals["control_packets"] = balance.control
    return totals


# What came to a point of the way, and where it went from there
SUMS = {
    "packets": (
        ("rtp_packets_accepted",),
        ("rtp_packets_offered", "dropped_producer_paused", "rtp_packets_forgotten", "rtp_packets_gathered"),
    ),
    "copies": (
        ("rtp_copies_due", "rtp_copies_again"),
        ("rtp_packets_forwarded", "rtp_copies_filled", "rtp_copies_held",
         *(f"rtp_copies_left_{name}" for name in LEFT_NAMES)),
    ),
    "sent": (
        ("rtp_packets_forwarded", "rtp_copies_filled", "rtp_packets_resent", "rtp_packets_padding", "control_packets"),
        ("packets_out", "rtp_packets_unprotected", "rtp_packets_no_room"),
    ),
    "datagrams": (
        ("packets_out",),
        ("packets_unsent", "datagrams_sent", "send_waiting", "send_blocked", "send_failed", "tcp_frames_sent",
         "tcp_frames_waiting", "tcp_frames_dropped", "tcp_frames_lost"),
    ),
}


def balance_of(counters):
    """How far the sums of an engine's counters are from agreeing: packets that vanished, by the stage of their way.

    They agree to the packet whenever the engine is not in the middle of a batch.

    Args:
        counters: of `Engine.counters`, or those of several engines added.

    Returns:
        by stage ("packets", "copies", "sent", "datagrams") what came less what is accounted for: 0 each.
    """
    return {stage: sum(counters[name] for name in came) - sum(counters[name] for name in went)
            for stage, (came, went) in SUMS.items()}
