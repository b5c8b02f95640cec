"""The estimator of the send side in C: an input is RTCP that comes again and again, moved along numbers and time, while
packets are sent; its last bytes say when."""

from fuzz._dice cimport Dice, below, roll
from fuzz._loop cimport Tally, exact, loop_of, ran
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free, malloc
from mediarouter._rtcp cimport (
    RTCP_PSFB,
    RTCP_RTPFB,
    RtcpReader,
    RtcpView,
    rtcp_next,
    rtcp_read_remb,
    rtcp_reader_init,
)
from mediarouter._rtp cimport read_u16, write_u16
from mediarouter._transport_feedback cimport TWCC_HEADER_SIZE
from mediarouter.congestion._estimator cimport (
    SendSide,
    send_side_budget_bps,
    send_side_deadline_us,
    send_side_init,
    send_side_poll,
    send_side_poll_probe,
    send_side_report,
    send_side_sent,
    send_side_set_demand,
    send_side_set_receiver_limit,
    send_side_update,
)
from mediarouter.congestion._feedback_match cimport OUTCOMES_MAX
from mediarouter.congestion._probe_controller cimport ProbeCluster

cdef enum:
    FORMAT_TWCC = 15
    FORMAT_REMB = 15
    ROUNDS = 6                     # two bytes each, from the end
    FIRST_SENT = 40
    MIN_BPS = 50000
    MAX_BPS = 5000000
    PROBES = 8                     # that may be asked for at once
    RATE_MAX_BPS = 1000000000

cdef int64_t[8] gaps_us = [0, 200, 1000, 4000, 10000, 33000, 400000, 70000000]
cdef int[8] moves = [0, 1, 5, 10, 16, 40, -10, 20000]


cdef int repair(Dice *dice, uint8_t *data, int size) noexcept nogil:
    # a report whose length is right, and a count that the chunks may hold; one of sixteen stays as it is
    if size < TWCC_HEADER_SIZE + 4 or below(dice, 16) == 0:
        return size
    size &= ~3
    data[0] = 0x8F
    data[1] = 205
    write_u16(data + 2, <uint16_t>(size // 4 - 1))
    if read_u16(data + 14) > 4 * (size - TWCC_HEADER_SIZE) and roll(dice) & 7:
        write_u16(data + 14, <uint16_t>below(dice, 4 * (size - TWCC_HEADER_SIZE)))
    return size


cdef const char *check(Tally *tally, uint8_t *data, int size) noexcept nogil:
    cdef SendSide *side = <SendSide *>malloc(sizeof(SendSide))
    cdef uint8_t *moved = exact(data, size)
    cdef const char *wrong = NULL
    cdef uint16_t seq = read_u16(data + 12) if size >= 14 else 0
    cdef int64_t now_us = 0
    cdef bint accepted
    cdef int i
    send_side_init(side, 500000, MIN_BPS, MAX_BPS, 0)
    send(side, &seq, &now_us, FIRST_SENT, 3000, 0)
    take(side, data, size, now_us)
    accepted = side.match.reports > 0 and side.match.malformed == 0
    ran(tally, data, size, accepted, shape_of(side) if accepted else 0)
    wrong = sane(side, now_us)
    for i in range(max(size - 2 * ROUNDS, 0), size - 1, 2):
        if wrong != NULL:
            break
        send(side, &seq, &now_us, data[i] & 31, gaps_us[data[i] >> 5], data[i + 1] & 1)
        move(moved, size, moves[data[i + 1] >> 5], data[i + 1] >> 1 & 15)
        take(side, moved, size, now_us)
        if data[i + 1] & 2:
            send_side_set_demand(side, <int64_t>data[i] * 20000, <int64_t>data[i + 1] * 10000, now_us)
        wrong = polled(side, now_us)
    free(moved)
    free(side)
    return wrong


cdef void send(SendSide *side, uint16_t *seq, int64_t *now_us, int count, int64_t gap_us, int cluster) noexcept nogil:
    cdef int i
    for i in range(count):
        send_side_sent(side, seq[0], 40 + 37 * i, cluster, now_us[0])
        seq[0] = <uint16_t>(seq[0] + 1)
        now_us[0] += gap_us


cdef void move(uint8_t *data, int size, int numbers, int references) noexcept nogil:
    # the same of other packets, some 64 ms later; the last sixteenth of that is a jump back
    if size >= TWCC_HEADER_SIZE:
        write_u16(data + 12, <uint16_t>(read_u16(data + 12) + numbers))
        write_u16(data + 17, <uint16_t>(read_u16(data + 17) + (references if references < 15 else -3000)))


cdef void take(SendSide *side, const uint8_t *data, int size, int64_t now_us) noexcept nogil:
    cdef RtcpReader reader
    cdef RtcpView view
    cdef uint64_t limit_bps
    rtcp_reader_init(&reader, data, size)
    while rtcp_next(&reader, &view) == 1:
        if view.packet_type == RTCP_RTPFB and view.count == FORMAT_TWCC:
            send_side_report(side, view.data, view.size, now_us)
        elif view.packet_type == RTCP_PSFB and view.count == FORMAT_REMB:
            if rtcp_read_remb(&view, &limit_bps) == 1:
                send_side_set_receiver_limit(side, <int64_t>min(limit_bps, <uint64_t>RATE_MAX_BPS), now_us)
    send_side_update(side, now_us)


cdef const char *polled(SendSide *side, int64_t now_us) noexcept nogil:
    cdef ProbeCluster cluster
    cdef const char *wrong = sane(side, now_us)
    cdef int probes = 0
    send_side_poll(side, now_us)
    while send_side_poll_probe(side, now_us, &cluster):
        probes += 1
        if probes > PROBES:
            return "probes without end"
        if not MIN_BPS <= cluster.rate_bps <= MAX_BPS or cluster.packets < 1 or cluster.bytes < 1:
            return "a probe of no rate or no size"
    if wrong == NULL:
        wrong = sane(side, now_us)
    return wrong


cdef const char *sane(const SendSide *side, int64_t now_us) noexcept nogil:
    if not MIN_BPS <= side.target_bps <= MAX_BPS:
        return "an estimate beyond its limits"
    if not MIN_BPS <= send_side_budget_bps(side) <= side.target_bps:
        return "a budget beyond the estimate"
    if side.acked_bps < -1 or side.rtt_us < -1 or side.queue.queue_us < 0:
        return "a figure below nothing"
    if not 0 <= side.history.in_flight_bytes <= 4096 * 1200:
        return "more in flight than was sent"
    if side.match.statuses > (side.match.reports * <uint64_t>OUTCOMES_MAX):
        return "more statuses looked at than a report may cost"
    if send_side_deadline_us(side, now_us) < -1:
        return "a deadline before time began"
    return NULL


cdef inline uint64_t shape_of(const SendSide *side) noexcept nogil:
    return (side.match.received | side.match.lost << 8 | side.match.unknown << 16
            | <uint64_t>(side.target_bps // 50000) << 32 | <uint64_t>(<int>side.delay.line.usage) << 48)


def loop(seeds, seed, kept=None):
    """See `fuzz._loop`."""
    return loop_of(check, repair, seeds, seed, kept)
