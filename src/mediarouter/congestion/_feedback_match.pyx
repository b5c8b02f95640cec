"""What a report tells anew of the packets in a history.

Theory of operation
A receiver tells of packets more than once: it repeats a window when a late packet turns up. So each packet counts as
received once, and as lost once; lost may still become received, never the other way round. Reports may be lost, come in
another order, name packets that were never sent, or say anything else: the reference time is taken as the one nearest
to the newest report's, and a step back does not move that mark.

Arrivals come in the order of sending but for reordering, so sorting starts with a look whether there is anything to do.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.stdlib cimport qsort
from libc.string cimport memset
from mediarouter._rtcp cimport RTCP_RTPFB, RtcpReader, RtcpView, rtcp_next, rtcp_reader_init
from mediarouter._transport_feedback cimport (
    TwccFeedback,
    TwccStatus,
    twcc_parse,
    twcc_reference,
    twcc_unwrap_reference,
)
from mediarouter.congestion._send_history cimport (
    SENT_OPEN,
    SENT_RECEIVED,
    SENT_UNKNOWN,
    SentPacket,
    SentState,
    send_history_add,
    send_history_find,
    send_history_init,
    send_history_settle,
    send_history_unwrap,
)

cdef enum:
    REFERENCE_US = 64000
    FORMAT_TWCC = 15


cdef void feedback_match_init(FeedbackMatch *match) noexcept nogil:
    memset(match, 0, sizeof(FeedbackMatch))


cdef int64_t reference_of(FeedbackMatch *match, const TwccFeedback *feedback) noexcept nogil:
    # how much later than its own reference says the report's times are, since that wraps every 12.4 days
    cdef int64_t told = twcc_reference(feedback)
    cdef int64_t reference = told
    if match.started:
        reference = twcc_unwrap_reference(match.reference, feedback.reference_time_64ms)
    if not match.started or reference > match.reference:
        match.reference = reference
    match.started = True
    return (reference - told) * REFERENCE_US


cdef int feedback_match_twcc(FeedbackMatch *match, SendHistory *history, const uint8_t *data, int size,
                             Outcome *outcomes, int *lost) noexcept nogil:
    cdef TwccFeedback feedback
    cdef TwccStatus statuses[OUTCOMES_MAX]
    cdef int64_t later_us, first
    cdef int count = twcc_parse(data, size, &feedback, statuses, OUTCOMES_MAX)
    cdef int told_received
    lost[0] = 0
    if count < 0:
        match.malformed += 1
        return count
    match.reports += 1
    match.statuses += <uint64_t>count
    if count == 0:
        return 0
    later_us = reference_of(match, &feedback)
    first = send_history_unwrap(history, feedback.base_seq)
    lost[0] = take_lost(history, statuses, count, first, outcomes)
    told_received = take_received(match, history, statuses, count, first, later_us, outcomes + lost[0])
    match.lost += <uint64_t>lost[0]
    match.received += <uint64_t>told_received
    outcomes_put_in_order(outcomes + lost[0], told_received)
    return lost[0] + told_received


cdef int take_lost(SendHistory *history, const TwccStatus *statuses, int count, int64_t first,
                   Outcome *outcomes) noexcept nogil:
    cdef SentPacket packet
    cdef int i
    cdef int filled = 0
    for i in range(count):
        if statuses[i].received or send_history_find(history, first + i, &packet) != SENT_OPEN:
            continue
        send_history_settle(history, first + i, False)
        outcome_fill(&outcomes[filled], first + i, &packet, 0, False)
        filled += 1
    return filled


cdef int take_received(FeedbackMatch *match, SendHistory *history, const TwccStatus *statuses, int count,
                       int64_t first, int64_t later_us, Outcome *outcomes) noexcept nogil:
    cdef SentPacket packet
    cdef SentState state
    cdef int i
    cdef int filled = 0
    for i in range(count):
        if not statuses[i].received:
            continue
        state = send_history_find(history, first + i, &packet)
        if state == SENT_UNKNOWN:
            match.unknown += 1
        elif state == SENT_RECEIVED:
            match.repeated += 1
        else:
            send_history_settle(history, first + i, True)
            if statuses[i].timed:
                outcome_fill(&outcomes[filled], first + i, &packet, statuses[i].arrival_us + later_us, True)
                filled += 1
    return filled


cdef void outcome_fill(Outcome *outcome, int64_t number, const SentPacket *packet, int64_t arrival_us,
                       bint received) noexcept nogil:
    outcome.number = number
    outcome.send_us = packet.send_us
    outcome.arrival_us = arrival_us
    outcome.size_bytes = packet.size_bytes
    outcome.cluster = <uint8_t>packet.cluster
    outcome.received = received


cdef void outcomes_put_in_order(Outcome *outcomes, int count) noexcept nogil:
    cdef int i
    for i in range(1, count):
        if outcomes[i].arrival_us < outcomes[i - 1].arrival_us:
            qsort(outcomes, count, sizeof(Outcome), by_arrival)
            return


cdef int by_arrival(const void *a, const void *b) noexcept nogil:
    cdef const Outcome *left = <const Outcome *>a
    cdef const Outcome *right = <const Outcome *>b
    if left.arrival_us != right.arrival_us:
        return -1 if left.arrival_us < right.arrival_us else 1
    return -1 if left.number < right.number else 1


# ---- the Python face

@cython.final
cdef class FeedbackMatchFace:
    """A history and the reports about it, for tests."""
    cdef FeedbackMatch match
    cdef SendHistory history

    def __cinit__(self):
        feedback_match_init(&self.match)
        send_history_init(&self.history)

    def sent(self, int seq, int size_bytes, int64_t now_us, int cluster=0):
        """A packet leaves."""
        send_history_add(&self.history, <uint16_t>(seq & 0xFFFF), size_bytes, cluster, now_us)

    def report(self, bytes data not None):
        """(lost, received) of one RTCP packet: low 16 bits of numbers, and (number, arrival_us); None: malformed."""
        cdef Outcome outcomes[OUTCOMES_MAX]
        cdef RtcpReader reader
        cdef RtcpView view
        cdef int i, lost
        cdef int count = -1
        rtcp_reader_init(&reader, data, <int>len(data))
        if rtcp_next(&reader, &view) == 1 and view.packet_type == RTCP_RTPFB and view.count == FORMAT_TWCC:
            count = feedback_match_twcc(&self.match, &self.history, view.data, view.size, outcomes, &lost)
        if count < 0:
            return None
        return ([outcomes[i].number & 0xFFFF for i in range(lost)],
                [(outcomes[i].number & 0xFFFF, outcomes[i].arrival_us) for i in range(lost, count)])

    @property
    def counters(self):
        """reports, malformed, statuses looked at, unknown, repeated."""
        return {"reports": self.match.reports, "malformed": self.match.malformed, "statuses": self.match.statuses,
                "unknown": self.match.unknown, "repeated": self.match.repeated}

    @property
    def in_flight_bytes(self):
        """Bytes sent of which nothing is known yet."""
        return self.history.in_flight_bytes
