"""The estimator of the send side, whole: what one viewer's network carries.

Theory of operation
Each packet is noted as it leaves. A report tells which arrived, and when; what it tells anew goes to four judges:
    throughput      how much arrived lately, which bounds what the others may believe
    delay           a queue that grows means more than the link carries: down at once, up slowly
    loss            loss that grows with the rate sent means the same where queues are short
    probes          what a short burst at a chosen rate achieved: the only one that finds room nobody uses yet
The target is the least of what delay, loss and the receiver allow. A probe lifts the delay's estimate, never cuts it
deeper than congestion would. Where feedback stops coming, the target falls by itself (`_feedback_watch`).

All reports of one datagram are taken in before one update. Time comes from the caller, and nothing is done between two
calls: `send_side_deadline_us` tells when the next one is due. The cost is bounded: more than 200 reports a second, five
times what any client sends, are refused, and of a report no more than the history holds is looked at.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset
from mediarouter._timers cimport timer_earlier
from mediarouter.congestion._aimd cimport aimd_set_estimate, aimd_set_limits, aimd_set_rtt
from mediarouter.congestion._alr cimport alr_init, alr_sent, alr_set_estimate
from mediarouter.congestion._busy_rate cimport busy_rate_add, busy_rate_bps, busy_rate_init
from mediarouter.congestion._ccfb_index cimport ccfb_index_add, ccfb_index_init, ccfb_stream_t
from mediarouter.congestion._ccfb_match cimport feedback_match_ccfb
from mediarouter.congestion._delay_based cimport (
    DelayResult,
    delay_based_init,
    delay_based_packet,
    delay_based_update,
)
from mediarouter.congestion._feedback_match cimport OUTCOMES_MAX, Outcome, feedback_match_init, feedback_match_twcc
from mediarouter.congestion._feedback_watch cimport (
    FEEDBACK_BACKING_OFF,
    FEEDBACK_FINE,
    feedback_watch_deadline_us,
    feedback_watch_factor,
    feedback_watch_init,
    feedback_watch_poll,
    feedback_watch_report,
    feedback_watch_sent,
)
from mediarouter.congestion._jam cimport jam_init, jam_report
from mediarouter.congestion._loss_based cimport (
    LOSS_DECREASING,
    LOSS_DELAY_LIMITED,
    LossBased,
    loss_based_forget,
    loss_based_init,
    loss_based_packet,
    loss_based_set_acked,
    loss_based_set_estimate,
    loss_based_set_limits,
    loss_based_set_parameters,
    loss_based_update,
)
from mediarouter.congestion._loss_parameters cimport LossParameters, loss_parameters_init
from mediarouter.congestion._probe_controller cimport (
    LIMITED_BY_DELAY,
    LIMITED_BY_LOSS,
    LIMITED_BY_LOSS_INCREASING,
    LIMITED_BY_OVERUSE,
    LIMITED_BY_RTT,
    ProbeCluster,
    probe_controller_deadline_us,
    probe_controller_dropped,
    probe_controller_init,
    probe_controller_poll,
    probe_controller_result,
    probe_controller_set_alr,
    probe_controller_set_demand,
    probe_controller_set_estimate,
)
from mediarouter.congestion._probe_estimator cimport (
    probe_estimator_begin,
    probe_estimator_init,
    probe_estimator_packet,
)
from mediarouter.congestion._queue_delay cimport queue_delay_add, queue_delay_init
from mediarouter.congestion._receiver_limit cimport (
    receiver_limit_cap,
    receiver_limit_deadline_us,
    receiver_limit_init,
    receiver_limit_poll,
    receiver_limit_set,
)
from mediarouter.congestion._send_history cimport send_history_add, send_history_init
from mediarouter.congestion._throughput cimport throughput_add, throughput_bps, throughput_init
from mediarouter.congestion._trendline cimport USAGE_NORMAL, USAGE_OVER

cdef enum:
    REPORTS_PER_SECOND = 200
    REPORT = 1000000               # one report, in millionths
    BURST = 20                     # reports that may come at once
    DRAIN_US = 1000000             # the queue shall be empty after so long
    SHOWN_US = 1000000             # so long a probe's result counts as what the network is now

cdef double LOSS_BORNE = 0.1


cdef void send_side_init(SendSide *side, int64_t start_bps, int64_t min_bps, int64_t max_bps,
                         int64_t now_us) noexcept nogil:
    memset(side, 0, sizeof(SendSide))
    side.min_bps = min_bps
    side.max_bps = max_bps
    side.target_bps = side.uncapped_bps = start_bps
    side.acked_bps = side.rtt_us = side.probe_bps = side.shown_bps = -1
    side.usage = USAGE_NORMAL
    side.refill_us = now_us
    side.reports_left = BURST * REPORT
    alr_init(&side.alr, start_bps)
    delay_based_init(&side.delay, start_bps, min_bps, max_bps)
    throughput_init(&side.throughput)
    loss_based_init(&side.loss, start_bps, min_bps, max_bps)
    bear_loss(&side.loss)
    probe_estimator_init(&side.probe_estimator)
    probe_controller_init(&side.probe_controller, start_bps, min_bps, max_bps, now_us)
    queue_delay_init(&side.queue)
    jam_init(&side.jam)
    busy_rate_init(&side.busy)
    feedback_watch_init(&side.watch)
    receiver_limit_init(&side.limit, 0)
    feedback_match_init(&side.match)
    send_history_init(&side.history)
    ccfb_index_init(&side.by_stream)


cdef void bear_loss(LossBased *loss) noexcept nogil:
    # A radio link loses a tenth of what it carries without being full, and video with RTX bears that. The reference's
    # twentieth holds such viewers below 2 Mbit/s.
    cdef LossParameters parameters
    loss_parameters_init(&parameters)
    parameters.bound_loss_offset = LOSS_BORNE
    parameters.inherent_loss_offset = LOSS_BORNE
    loss_based_set_parameters(loss, &parameters)


cdef void send_side_sent(SendSide *side, uint16_t seq, int size_bytes, int cluster, int64_t now_us) noexcept nogil:
    send_history_add(&side.history, seq, size_bytes, cluster, now_us)
    alr_sent(&side.alr, size_bytes, now_us)
    feedback_watch_sent(&side.watch, now_us)


cdef void send_side_name(SendSide *side, int stream, uint16_t seq) noexcept nogil:
    ccfb_index_add(&side.by_stream, stream, seq, side.history.newest)


# ---- reports

cdef bint may_report(SendSide *side, int64_t now_us) noexcept nogil:
    if now_us > side.refill_us:
        side.reports_left = min(side.reports_left + min(now_us - side.refill_us, <int64_t>1000000) * REPORTS_PER_SECOND,
                                <int64_t>(BURST * REPORT))
        side.refill_us = now_us
    if side.reports_left < REPORT:
        side.refused += 1
        return False
    side.reports_left -= REPORT
    return True


cdef int send_side_report(SendSide *side, const uint8_t *data, int size, int64_t now_us) noexcept nogil:
    cdef Outcome outcomes[OUTCOMES_MAX]
    cdef int lost, count
    if not may_report(side, now_us):
        return 0
    count = feedback_match_twcc(&side.match, &side.history, data, size, outcomes, &lost)
    if count >= 0:
        take_in(side, outcomes, lost, count, now_us)
    return count


cdef int send_side_report_ccfb(SendSide *side, ccfb_stream_t stream_of, const void *table, const uint8_t *data,
                               int size, int64_t now_us) noexcept nogil:
    cdef Outcome outcomes[OUTCOMES_MAX]
    cdef int lost, count
    if not may_report(side, now_us):
        return 0
    count = feedback_match_ccfb(&side.match, &side.history, &side.by_stream, stream_of, table, data, size, outcomes,
                                &lost)
    if count >= 0:
        take_in(side, outcomes, lost, count, now_us)
    return count


cdef void take_in(SendSide *side, const Outcome *outcomes, int lost, int count, int64_t now_us) noexcept nogil:
    cdef int i
    for i in range(lost):
        loss_based_packet(&side.loss, <uint32_t>outcomes[i].number, outcomes[i].send_us, outcomes[i].size_bytes, False)
    for i in range(lost, count):
        take_received(side, &outcomes[i], now_us)
    if count > lost:
        measure_rtt(side, outcomes + lost, count - lost, now_us)
        jam_report(&side.jam, outcomes + lost, count - lost, side.queue.queue_us)
    side.reported = True


cdef void take_received(SendSide *side, const Outcome *packet, int64_t now_us) noexcept nogil:
    cdef int64_t rate_bps
    throughput_add(&side.throughput, packet.send_us, packet.arrival_us, packet.size_bytes)
    delay_based_packet(&side.delay, packet.send_us, packet.arrival_us, now_us, packet.size_bytes)
    loss_based_packet(&side.loss, <uint32_t>packet.number, packet.send_us, packet.size_bytes, True)
    queue_delay_add(&side.queue, packet.send_us, packet.arrival_us)
    busy_rate_add(&side.busy, packet.arrival_us, packet.size_bytes, side.queue.queue_us)
    if packet.cluster:
        rate_bps = probe_estimator_packet(&side.probe_estimator, packet.cluster, packet.send_us, packet.arrival_us,
                                          packet.size_bytes)
        if rate_bps >= 0:
            side.probe_bps = side.shown_bps = rate_bps
            side.shown_us = now_us
            probe_controller_result(&side.probe_controller, packet.cluster, rate_bps, now_us)


cdef void measure_rtt(SendSide *side, const Outcome *received, int count, int64_t now_us) noexcept nogil:
    # a report waits for the last packet it tells of: what that one took is the network's, and the report's way back
    cdef int64_t newest_us = received[count - 1].arrival_us
    cdef int64_t least_us = now_us - received[count - 1].send_us
    cdef int64_t rtt_us
    cdef int i
    for i in range(count - 1):
        rtt_us = now_us - received[i].send_us - (newest_us - received[i].arrival_us)
        if 0 < rtt_us < least_us:
            least_us = rtt_us
    side.rtt_us = least_us if side.rtt_us < 0 else side.rtt_us + (least_us - side.rtt_us) // 8
    aimd_set_rtt(&side.delay.aimd, side.rtt_us)
    feedback_watch_report(&side.watch, now_us, least_us)


# ---- the target

cdef bint send_side_update(SendSide *side, int64_t now_us) noexcept nogil:
    cdef DelayResult delay
    cdef bint in_alr = side.alr.since_us >= 0
    cdef int64_t probe_bps = side.probe_bps
    if not side.reported:
        return cap_anew(side, now_us)
    side.reported = side.capped = False
    side.probe_bps = -1
    side.acked_bps = throughput_bps(&side.throughput)
    if probe_bps >= 0 and side.acked_bps > 0:
        # a probe that went badly never cuts deeper than congestion would
        probe_bps = max(probe_bps, min(side.target_bps, side.acked_bps * 85 // 100))
    probe_controller_set_alr(&side.probe_controller, side.alr.since_us, now_us)
    delay_based_update(&side.delay, proven_bps(side), probe_bps, in_alr, now_us, &delay)
    side.usage = delay.usage
    if delay.updated and delay.usage == USAGE_OVER and delay.target_bps < side.target_bps // 2:
        # what was lost when more than twice as much was sent is explained, and says nothing about what is sent now
        loss_based_forget(&side.loss, delay.target_bps, now_us)
    if delay.probe and delay.target_bps > 2 * side.target_bps:
        # and so is what was lost before a probe found more than twice as much
        loss_based_forget(&side.loss, delay.target_bps, now_us)
    elif delay.probe:
        loss_based_set_estimate(&side.loss, delay.target_bps)
    if delay.recovered_from_overuse:
        probe_controller_dropped(&side.probe_controller, now_us)
    loss_based_set_acked(&side.loss, side.acked_bps)
    return set_target(side, loss_based_update(&side.loss, delay.target_bps, in_alr, now_us), now_us)


cdef int64_t proven_bps(const SendSide *side) noexcept nogil:
    cdef int64_t busy_bps = -1
    if side.delay.line.usage == USAGE_OVER and side.acked_bps >= 0:
        busy_bps = busy_rate_bps(&side.busy)
    return busy_bps if busy_bps >= 0 else side.acked_bps


cdef bint set_target(SendSide *side, int64_t bps, int64_t now_us) noexcept nogil:
    cdef int64_t before_bps = side.target_bps
    side.uncapped_bps = bps
    bps = receiver_limit_cap(&side.limit, bps, side.min_bps)
    side.target_bps = max(side.min_bps, min(bps, side.max_bps))
    probe_controller_set_estimate(&side.probe_controller, side.target_bps, limited_by(side, now_us), now_us)
    alr_set_estimate(&side.alr, side.target_bps)
    return side.target_bps != before_bps


cdef bint cap_anew(SendSide *side, int64_t now_us) noexcept nogil:
    # the receiver's limit moved and nothing else did
    if not side.capped:
        return False
    side.capped = False
    return set_target(side, side.uncapped_bps, now_us)


cdef int limited_by(SendSide *side, int64_t now_us) noexcept nogil:
    if feedback_watch_poll(&side.watch, now_us) != FEEDBACK_FINE:
        return LIMITED_BY_RTT
    if side.usage != USAGE_NORMAL:
        return LIMITED_BY_OVERUSE
    if side.loss.state == LOSS_DELAY_LIMITED:
        return LIMITED_BY_DELAY
    # A rise from a loss is to be proven by packets, and whoever sends little has none: a probe proves it too
    if side.loss.state == LOSS_DECREASING and side.alr.since_us < 0:
        return LIMITED_BY_LOSS
    return LIMITED_BY_LOSS_INCREASING


cdef void send_side_set_receiver_limit(SendSide *side, int64_t bps, int64_t now_us) noexcept nogil:
    if receiver_limit_set(&side.limit, bps, now_us):
        side.capped = True


cdef bint send_side_set_limits(SendSide *side, int64_t min_bps, int64_t max_bps, int64_t now_us) noexcept nogil:
    side.min_bps = min_bps
    side.max_bps = max_bps
    aimd_set_limits(&side.delay.aimd, min_bps, max_bps)
    loss_based_set_limits(&side.loss, min_bps, max_bps)
    # not by probe_controller_set_bounds, which would fire a burst at the new limit: demand alone asks for probes
    side.probe_controller.min_bps = min_bps
    side.probe_controller.max_bps = max_bps
    return set_target(side, side.uncapped_bps, now_us)


cdef void send_side_set_demand(SendSide *side, int64_t demand_bps, int64_t in_use_bps, int64_t now_us) noexcept nogil:
    probe_controller_set_demand(&side.probe_controller, demand_bps, in_use_bps, now_us)


# ---- time

cdef bint send_side_poll(SendSide *side, int64_t now_us) noexcept nogil:
    cdef bint changed = False
    cdef int64_t bps
    if receiver_limit_poll(&side.limit, now_us):
        side.capped = True
    changed = send_side_update(side, now_us)
    # a client may agree to give feedback and never do so: then the start is all that is known
    if side.match.reports and feedback_watch_poll(&side.watch, now_us) >= FEEDBACK_BACKING_OFF:
        bps = <int64_t>(<double>side.target_bps * feedback_watch_factor(&side.watch, now_us))
        if bps < side.target_bps:
            bps = max(bps, side.min_bps)
            aimd_set_estimate(&side.delay.aimd, bps, now_us)
            loss_based_set_estimate(&side.loss, bps)
            changed = set_target(side, bps, now_us) or changed
    return changed


cdef bint send_side_poll_probe(SendSide *side, int64_t now_us, ProbeCluster *cluster) noexcept nogil:
    if not probe_controller_poll(&side.probe_controller, now_us, cluster):
        return False
    side.probes += 1
    probe_estimator_begin(&side.probe_estimator, cluster.id, cluster.rate_bps, cluster.packets, cluster.bytes)
    return True


cdef int64_t send_side_deadline_us(const SendSide *side, int64_t now_us) noexcept nogil:
    cdef int64_t due_us = feedback_watch_deadline_us(&side.watch, now_us)
    due_us = timer_earlier(due_us, probe_controller_deadline_us(&side.probe_controller))
    return timer_earlier(due_us, receiver_limit_deadline_us(&side.limit))


cdef int64_t send_side_budget_bps(const SendSide *side) noexcept nogil:
    # what waits in the queue, in bits over a second, is bits a second
    cdef int64_t drain_bps
    cdef int64_t bps = side.target_bps
    if side.jam.carried_bps >= 0:
        bps = min(bps, side.jam.carried_bps)
    if side.queue.queue_us <= 0 or side.acked_bps <= 0:
        return max(side.min_bps, bps)
    drain_bps = min(side.queue.queue_us, <int64_t>DRAIN_US) * min(side.acked_bps, bps) // DRAIN_US
    return max(side.min_bps, bps - drain_bps)


cdef int64_t send_side_shown_bps(const SendSide *side, int64_t now_us) noexcept nogil:
    return side.shown_bps if now_us - side.shown_us <= SHOWN_US and side.usage == USAGE_NORMAL else -1


cdef int64_t send_side_pacing_bps(const SendSide *side) noexcept nogil:
    return side.target_bps * 5 // 2


# ---- for Python's commands

cdef int64_t RATE_MAX_BPS = 1000000000


cdef int check_limits(int64_t start_bps, int64_t min_bps, int64_t max_bps) except -1:
    if not 1000 <= min_bps <= start_bps <= max_bps <= RATE_MAX_BPS:
        raise ValueError(f"rates must be 1,000 <= min <= start <= max <= 1,000,000,000 bit/s, not "
                         f"{min_bps}, {start_bps}, {max_bps}")
    return 0
