"""The outgoing side of one RTP stream; `_send_stream.pxd` tells how it works."""

cimport cython
from libc.stdint cimport int16_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cdef enum:
    FIRST_RUNS = 4
    PICTURE_ID_MASK = 0x7FFF


cdef void send_stream_init(SendStream *stream, uint16_t first_seq) noexcept nogil:
    memset(stream, 0, sizeof(SendStream))
    # the first number sent is first_seq; a value below 2^15 spares late joiners a guess of the ROC (RFC 3711 3.3.1)
    stream.newest_seq = <int64_t>first_seq - 1
    stream.frame_complete = True
    stream.resend_credit = RESEND_CREDIT_MAX
    cdef int i
    for i in range(RESENDS):
        stream.resends[i].seq = -1


cdef void send_stream_release(SendStream *stream) noexcept nogil:
    free(stream.runs)
    stream.runs = NULL
    stream.run_capacity = 0
    stream.run_count = 0


cdef bint grow(SendStream *stream) noexcept nogil:
    cdef uint32_t capacity = stream.run_capacity * 2 if stream.run_capacity else FIRST_RUNS
    cdef SendRun *runs = <SendRun *>malloc(capacity * sizeof(SendRun))
    cdef uint64_t at
    cdef uint64_t i
    if runs == NULL:
        return False
    for i in range(stream.run_count):
        at = stream.newest_run - i
        runs[at & (capacity - 1)] = stream.runs[at & (stream.run_capacity - 1)]
    free(stream.runs)
    stream.runs = runs
    stream.run_capacity = capacity
    return True


cdef SendRun *next_run(SendStream *stream) noexcept nogil:
    # room for one more run behind the newest; the oldest goes when the history is full; NULL: no memory for the first
    if stream.run_count == stream.run_capacity and stream.run_capacity < SEND_RUNS_MAX:
        if not grow(stream) and stream.run_capacity == 0:
            return NULL
    stream.newest_run += 1
    if stream.run_count < stream.run_capacity:
        stream.run_count += 1
    return newest_run(stream)


cdef bint send_stream_switch(SendStream *stream, int encoding, int64_t source_seq, uint32_t source_timestamp,
                             uint32_t timestamp, int picture_id, int tl0) noexcept nogil:
    cdef int before = newest_run(stream).encoding if stream.run_count else -1
    cdef SendRun *run = next_run(stream)
    if run == NULL:
        return False
    cdef int64_t seq = stream.newest_seq + 1
    if stream.started and not stream.frame_complete:
        seq += 1
    run.first = source_seq
    run.end = source_seq
    run.seq_offset = seq - source_seq
    run.timestamp_offset = timestamp - source_timestamp
    run.picture_id_offset = 0
    run.tl0_offset = 0
    run.encoding = <uint8_t>encoding
    if picture_id >= 0:
        if stream.has_picture_id:
            run.picture_id_offset = <uint16_t>(stream.newest_picture_id + 1 - picture_id) & PICTURE_ID_MASK
            if tl0 >= 0:
                run.tl0_offset = <uint8_t>(stream.newest_tl0 + 1 - tl0)
        stream.has_picture_id = True
    stream.newest_seq = seq - 1
    stream.started = True
    if encoding <= before:
        stream.fallen_seq = seq
    return True


cdef bint send_stream_is_past(const SendStream *stream, uint16_t seq) noexcept nogil:
    return stream.newest_seq + <int16_t>(seq - <uint16_t>stream.newest_seq) < stream.fallen_seq


cdef const SendRun *send_stream_place(const SendStream *stream, int encoding, int64_t source_seq) noexcept nogil:
    cdef uint64_t i
    cdef const SendRun *run
    for i in range(stream.run_count):
        run = &stream.runs[(stream.newest_run - i) & (stream.run_capacity - 1)]
        if run.encoding == encoding and run.first <= source_seq < run.end:
            return run
    return NULL


cdef bint send_stream_is_newer(const SendStream *stream, int encoding, int64_t source_seq) noexcept nogil:
    if stream.run_count == 0:
        return False
    cdef const SendRun *run = newest_run(stream)
    return run.encoding == encoding and source_seq >= run.end


cdef int64_t send_stream_extend(SendStream *stream, int64_t source_seq) noexcept nogil:
    cdef SendRun *run = newest_run(stream)
    run.end = source_seq + 1
    stream.newest_seq = source_seq + run.seq_offset
    return stream.newest_seq


cdef void send_stream_skip(SendStream *stream, int64_t source_seq, bint new_picture) noexcept nogil:
    cdef SendRun *run = newest_run(stream)
    cdef SendRun ended
    if run.first != run.end or source_seq != run.end:
        # numbers that never came keep their places in the run that ends here
        ended = run[0]
        run.end = source_seq
        run = next_run(stream)
        run[0] = ended
    stream.newest_seq = source_seq - 1 + run.seq_offset
    run.first = source_seq + 1
    run.end = run.first
    run.seq_offset -= 1
    if new_picture:
        run.picture_id_offset = (run.picture_id_offset - 1) & PICTURE_ID_MASK


cdef const SendRun *send_stream_trace(const SendStream *stream, uint16_t seq, int64_t *source_seq) noexcept nogil:
    cdef int64_t unwrapped = stream.newest_seq + <int16_t>(seq - <uint16_t>stream.newest_seq)
    cdef uint64_t i
    cdef const SendRun *run
    for i in range(stream.run_count):
        run = &stream.runs[(stream.newest_run - i) & (stream.run_capacity - 1)]
        source_seq[0] = unwrapped - run.seq_offset
        if run.first <= source_seq[0] < run.end:
            return run
    return NULL


cdef bint send_stream_may_resend(SendStream *stream, uint16_t seq, int64_t rtt_us, int64_t now_us) noexcept nogil:
    cdef int i
    cdef Resend *resend
    earn(stream)
    if stream.resend_credit == 0:
        return False
    for i in range(RESENDS):
        resend = &stream.resends[i]
        if resend.seq == seq and now_us - resend.sent_at_us < 2000000:
            if resend.count >= RESENDS_MAX or now_us - resend.sent_at_us < rtt_us:
                return False
            resend.sent_at_us = now_us
            resend.count += 1
            stream.resend_credit -= 1
            return True
    resend = &stream.resends[stream.resend_position]
    stream.resend_position = (stream.resend_position + 1) % RESENDS
    resend.seq = seq
    resend.sent_at_us = now_us
    resend.count = 1
    stream.resend_credit -= 1
    return True


cdef inline void earn(SendStream *stream) noexcept nogil:
    # one for each packet sent since the last time
    cdef uint32_t credit = <uint32_t>stream.resend_credit + <uint16_t>(stream.packets - stream.resend_earned_at)
    stream.resend_credit = <uint16_t>(credit if credit < RESEND_CREDIT_MAX else RESEND_CREDIT_MAX)
    stream.resend_earned_at = <uint16_t>stream.packets


@cython.final
cdef class SendStreamFace:
    """A SendStream for tests: the same functions, Python numbers.

    Args:
        first_seq: the sequence number of the first packet sent, 0..65535.
    """
    cdef SendStream stream

    def __cinit__(self, int first_seq):
        send_stream_init(&self.stream, <uint16_t>first_seq)

    def __dealloc__(self):
        send_stream_release(&self.stream)

    @property
    def newest_seq(self):
        """The newest outgoing number, unwrapped."""
        return self.stream.newest_seq

    @property
    def run_count(self):
        """Runs remembered, at most 128."""
        return self.stream.run_count

    def switch(self, int encoding, int64_t source_seq, uint32_t source_timestamp, uint32_t timestamp,
               int picture_id=-1, int tl0=-1):
        """Begin a run; False when memory is short."""
        return bool(send_stream_switch(&self.stream, encoding, source_seq, source_timestamp, timestamp, picture_id,
                                       tl0))

    def is_newer(self, int encoding, int64_t source_seq):
        """True when the packet lies behind everything seen of the newest run."""
        return bool(send_stream_is_newer(&self.stream, encoding, source_seq))

    def place(self, int encoding, int64_t source_seq):
        """The outgoing number of a source packet, None when it has no place."""
        cdef const SendRun *run = send_stream_place(&self.stream, encoding, source_seq)
        return None if run == NULL else source_seq + run.seq_offset

    def extend(self, int64_t source_seq, bint marker=True):
        """Send the newest packet; its outgoing number."""
        self.stream.frame_complete = marker
        return send_stream_extend(&self.stream, source_seq)

    def skip(self, int64_t source_seq, bint new_picture=True):
        """Leave the newest packet out."""
        send_stream_skip(&self.stream, source_seq, new_picture)

    def trace(self, int seq):
        """(encoding, source number, timestamp offset, picture id offset) of an outgoing number, or None."""
        cdef int64_t source_seq
        cdef const SendRun *run = send_stream_trace(&self.stream, <uint16_t>seq, &source_seq)
        if run == NULL:
            return None
        return run.encoding, source_seq, run.timestamp_offset, run.picture_id_offset

    def is_past(self, int seq):
        """True when it was sent before the newest key frame that went down to a lower encoding, or began anew."""
        return bool(send_stream_is_past(&self.stream, <uint16_t>seq))

    def may_resend(self, int seq, int64_t rtt_us, int64_t now_us):
        """Whether a NACK for this number is answered now."""
        return bool(send_stream_may_resend(&self.stream, <uint16_t>seq, rtt_us, now_us))
