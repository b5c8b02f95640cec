"""From a report of RFC 8888 to what it tells anew; `_ccfb_match.pxd` has the words.

Theory of operation
A report tells of streams, one after the other; what follows wants packets as they were sent. So each status marks its
packet's place in the ring of the history, and keeps its arrival there; a second pass over the marks gives the packets
in the order of sending, whatever the order of streams was. Lost and received count once each, as in `_feedback_match`.

Arrival times are told as 1/1024 s before the report, and the report's time in 1/65536 s of the receiver's clock, which
wraps every 18 hours. The latter is taken as the nearest to the newest report's, and the difference is one line of
arrivals over all reports; reports that come late stand where they belong, and do not move the mark.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from mediarouter._congestion_feedback cimport (
    CCFB_ARRIVED,
    CCFB_ECN_SHIFT,
    CCFB_HEADER_SIZE,
    CCFB_OFFSET_MAX,
    CCFB_UNKNOWN,
    CcfbStreamView,
    ccfb_check,
    ccfb_next,
    ccfb_timestamp,
)
from mediarouter._rtp cimport read_u16
from mediarouter.congestion._ccfb_index cimport (
    CCFB_STREAMS_MAX,
    CcfbIndex,
    ccfb_index_add,
    ccfb_index_find,
    ccfb_index_init,
    ccfb_stream_t,
)
from mediarouter.congestion._feedback_match cimport (
    OUTCOMES_MAX,
    FeedbackMatch,
    Outcome,
    feedback_match_init,
    outcome_fill,
    outcomes_put_in_order,
)
from mediarouter.congestion._send_history cimport (
    HISTORY_SIZE,
    SENT_OPEN,
    SENT_RECEIVED,
    SENT_UNKNOWN,
    SendHistory,
    SentPacket,
    SentState,
    send_history_add,
    send_history_find,
    send_history_init,
    send_history_settle,
)

cdef extern from *:
    int trailing_zeros "__builtin_ctzll"(uint64_t word) nogil

cdef enum:
    WORDS = 64                     # marks of a history's ring, 64 a word
    OFFSET_SHIFT = 6               # 1/1024 s are 64/65536 s

cdef struct Told:                  # by one report, by place in the history's ring
    uint64_t lost[WORDS]
    uint64_t arrived[WORDS]
    int64_t arrival_us[HISTORY_SIZE]


cdef int64_t unwrapped(FeedbackMatch *match, uint32_t told) noexcept nogil:
    cdef int64_t timestamp = told
    if match.stamped:
        timestamp = match.timestamp + <int32_t>(told - <uint32_t>match.timestamp)
    if not match.stamped or timestamp > match.timestamp:
        match.timestamp = timestamp
    match.stamped = True
    return timestamp


cdef int feedback_match_ccfb(FeedbackMatch *match, SendHistory *history, const CcfbIndex *index,
                             ccfb_stream_t stream_of, const void *table, const uint8_t *data, int size,
                             Outcome *outcomes, int *lost) noexcept nogil:
    cdef Told told
    cdef CcfbStreamView view
    cdef int64_t timestamp
    cdef int stream, received
    cdef int at = CCFB_HEADER_SIZE
    cdef int result = ccfb_check(data, size)
    lost[0] = 0
    if result < 0:
        match.malformed += 1
        return result
    match.reports += 1
    memset(told.lost, 0, sizeof(told.lost))
    memset(told.arrived, 0, sizeof(told.arrived))
    timestamp = unwrapped(match, ccfb_timestamp(data, size))
    while True:
        at = ccfb_next(data, size, at, &view)
        if at == 0:
            break
        stream = stream_of(table, view.ssrc)
        if stream < 0:
            match.unknown_streams += 1
        else:
            take_stream(match, history, index, stream, &view, timestamp, &told)
    lost[0] = gather(history, told.lost, NULL, outcomes)
    received = gather(history, told.arrived, told.arrival_us, outcomes + lost[0])
    match.lost += <uint64_t>lost[0]
    match.received += <uint64_t>received
    outcomes_put_in_order(outcomes + lost[0], received)
    return lost[0] + received


cdef void take_stream(FeedbackMatch *match, SendHistory *history, const CcfbIndex *index, int stream,
                      const CcfbStreamView *view, int64_t timestamp, Told *told) noexcept nogil:
    cdef SentPacket packet
    cdef SentState state
    cdef int64_t number
    cdef uint16_t report
    cdef int i
    for i in range(view.count):
        report = read_u16(view.reports + 2 * i)
        number = ccfb_index_find(index, stream, <uint16_t>(view.begin_seq + i))
        state = send_history_find(history, number, &packet)
        if not report & CCFB_ARRIVED:
            if state == SENT_OPEN:
                send_history_settle(history, number, False)
                mark(told.lost, number)
        elif state == SENT_UNKNOWN:
            match.unknown += 1
        elif state == SENT_RECEIVED:
            match.repeated += 1
        else:
            match.ecn[report >> CCFB_ECN_SHIFT & 3] += 1
            send_history_settle(history, number, True)
            unmark(told.lost, number)                  # told twice by one report
            note_arrival(told, number, timestamp, report & CCFB_UNKNOWN)


cdef inline void mark(uint64_t *marks, int64_t number) noexcept nogil:
    marks[(number & (HISTORY_SIZE - 1)) >> 6] |= <uint64_t>1 << (number & 63)


cdef inline void unmark(uint64_t *marks, int64_t number) noexcept nogil:
    marks[(number & (HISTORY_SIZE - 1)) >> 6] &= ~(<uint64_t>1 << (number & 63))


cdef inline void note_arrival(Told *told, int64_t number, int64_t timestamp, int offset) noexcept nogil:
    # What came too long ago for a time to be told did arrive, and tells nothing of delay. Ticks become microseconds in
    # two parts: whoever reports may move the time on for ever, and the whole product would not fit then.
    cdef int64_t ticks = timestamp - (offset << OFFSET_SHIFT)
    if offset > CCFB_OFFSET_MAX:
        return
    mark(told.arrived, number)
    told.arrival_us[number & (HISTORY_SIZE - 1)] = (ticks >> 16) * 1000000 + ((ticks & 0xFFFF) * 1000000 >> 16)


cdef int gather(const SendHistory *history, const uint64_t *marks, const int64_t *arrival_us,
                Outcome *outcomes) noexcept nogil:
    # what is marked, from the oldest to the newest; the oldest place of a ring is behind the newest
    cdef int first = <int>((history.newest + 1) & (HISTORY_SIZE - 1))
    cdef uint64_t below = (<uint64_t>1 << (first & 63)) - 1
    cdef int filled = 0
    cdef int word, i
    filled = gather_word(history, marks[first >> 6] & ~below, first >> 6, arrival_us, outcomes, 0)
    for i in range(1, WORDS):
        word = ((first >> 6) + i) & (WORDS - 1)
        if marks[word]:
            filled = gather_word(history, marks[word], word, arrival_us, outcomes, filled)
    return gather_word(history, marks[first >> 6] & below, first >> 6, arrival_us, outcomes, filled)


cdef int gather_word(const SendHistory *history, uint64_t marked, int word, const int64_t *arrival_us,
                     Outcome *outcomes, int filled) noexcept nogil:
    cdef SentPacket packet
    cdef int64_t number
    cdef int slot
    while marked:
        slot = word << 6 | trailing_zeros(marked)
        marked &= marked - 1
        number = history.newest - ((history.newest - slot) & (HISTORY_SIZE - 1))
        send_history_find(history, number, &packet)
        outcome_fill(&outcomes[filled], number, &packet, arrival_us[slot] if arrival_us != NULL else 0,
                     arrival_us != NULL)
        filled += 1
    return filled


# ---- the Python face

cdef int same_number(const void *table, uint32_t ssrc) noexcept nogil:
    return <int>ssrc if ssrc < CCFB_STREAMS_MAX else -1


@cython.final
cdef class CcfbMatchFace:
    """A history and the reports about it, for tests. SSRCs below 4095 are known, as that stream."""
    cdef FeedbackMatch match
    cdef SendHistory history
    cdef CcfbIndex index

    def __cinit__(self):
        feedback_match_init(&self.match)
        send_history_init(&self.history)
        ccfb_index_init(&self.index)

    def sent(self, int ssrc, int seq, int size_bytes, int64_t now_us, int cluster=0):
        """A packet of an SSRC below 4095 leaves; its number."""
        send_history_add(&self.history, <uint16_t>(self.history.newest + 1), size_bytes, cluster, now_us)
        ccfb_index_add(&self.index, ssrc, <uint16_t>(seq & 0xFFFF), self.history.newest)
        return self.history.newest

    def report(self, bytes data not None):
        """(lost, received) of one RTCP packet: numbers, and (number, arrival_us); None: malformed."""
        cdef Outcome *outcomes = <Outcome *>malloc(OUTCOMES_MAX * sizeof(Outcome))
        cdef int i, count, lost
        if outcomes == NULL:
            raise MemoryError
        count = feedback_match_ccfb(&self.match, &self.history, &self.index, same_number, NULL, data,
                                    <int>min(len(data), 65535), outcomes, &lost)
        told = None
        if count >= 0:
            told = ([outcomes[i].number for i in range(lost)],
                    [(outcomes[i].number, outcomes[i].arrival_us) for i in range(lost, count)])
        free(outcomes)
        return told

    @property
    def counters(self):
        """Reports taken and malformed, statuses unknown and repeated, unknown streams, and marks of ECN."""
        return {"reports": self.match.reports, "malformed": self.match.malformed, "unknown": self.match.unknown,
                "repeated": self.match.repeated, "unknown_streams": self.match.unknown_streams,
                "ecn": tuple(self.match.ecn)}

    @property
    def in_flight_bytes(self):
        """Bytes sent of which nothing is known yet."""
        return self.history.in_flight_bytes
