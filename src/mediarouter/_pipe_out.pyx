"""What goes into pipes; `_pipe_out.pxd` tells what and how."""

from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset
from mediarouter._drop cimport DROP_PIPE_FULL
from mediarouter._layers cimport LAYER_BEST
from mediarouter._pipe cimport PipeEnd, pipe_commit, pipe_flush, pipe_is_closed, pipe_reserve
from mediarouter._plane cimport ENCODINGS_MAX, Encoding, PipeTap, Plane, Producer, count_drop
from mediarouter._timers cimport timer_arm, timer_cancel

cdef enum:
    SPARED = 4096                  # bytes of a ring that are kept for records without a packet


cdef inline PipeRecord *reserve(PipeEnd *end, PipeKind kind, uint32_t producer, int index, uint32_t extra,
                                uint32_t spare) noexcept nogil:
    cdef PipeRecord *record = <PipeRecord *>pipe_reserve(end, <uint32_t>sizeof(PipeRecord) + extra, spare)
    if record != NULL:
        memset(record, 0, sizeof(PipeRecord))
        record.kind = <uint8_t>kind
        record.producer = producer
        record.encoding = <uint8_t>index
    return record


cdef inline void commit(Plane *plane, PipeEnd *end, uint32_t extra) noexcept nogil:
    pipe_commit(end, <uint32_t>sizeof(PipeRecord) + extra)
    end.hurried = True
    plane.pipes_hurried = True


cdef void pipe_pass_on(Plane *plane, const Encoding *encoding, const uint8_t *data, int size, int flags, bint wait,
                       int64_t arrival_us) noexcept nogil:
    cdef const Producer *producer = encoding.producer
    cdef int i
    for i in range(producer.tap_count):
        pipe_put_packet(plane, &producer.taps[i], encoding.index, data, size, flags, wait, arrival_us)


cdef void pipe_put_packet(Plane *plane, const PipeTap *tap, int index, const uint8_t *data, int size, int flags,
                          bint wait, int64_t arrival_us) noexcept nogil:
    cdef PipeEnd *end = tap.end
    cdef PipeRecord *record = reserve(end, PIPE_PACKET, tap.far, index, <uint32_t>size, SPARED)
    if record == NULL:
        if not pipe_is_closed(end):
            end.packets_refused += 1
            count_drop(plane, DROP_PIPE_FULL)
        return
    record.flags = <uint8_t>flags
    record.time_us = arrival_us
    memcpy(<uint8_t *>record + sizeof(PipeRecord), data, <size_t>size)
    end.packets_sent += 1
    if not wait or plane.gather_us == 0:
        commit(plane, end, <uint32_t>size)
        return
    pipe_commit(end, <uint32_t>sizeof(PipeRecord) + <uint32_t>size)
    if not end.hurried and not end.timer.armed:
        timer_arm(plane.timers, &end.timer, arrival_us + plane.gather_us)


cdef void put_stream(Plane *plane, const PipeTap *tap, const Encoding *encoding) noexcept nogil:
    cdef PipeRecord *record = reserve(tap.end, PIPE_STREAM, tap.far, encoding.index, 0, 0)
    if record == NULL:
        return
    record.ssrc = encoding.stream.ssrc
    record.sr_ntp = encoding.stream.sr_ntp
    record.sr_rtp_timestamp = encoding.stream.sr_rtp_timestamp
    record.time_us = encoding.stream.sr_arrival_us
    commit(plane, tap.end, 0)


cdef void pipe_tell_stream(Plane *plane, const Encoding *encoding) noexcept nogil:
    cdef int i
    for i in range(encoding.producer.tap_count):
        put_stream(plane, &encoding.producer.taps[i], encoding)


cdef void pipe_tell_all(Plane *plane, const Producer *producer, PipeTap *tap) noexcept nogil:
    cdef int i
    if reserve(tap.end, PIPE_TAPPED, tap.far, 0, 0, 0) != NULL:
        commit(plane, tap.end, 0)
    else:
        memset(tap.wanted, LAYER_BEST, sizeof(tap.wanted))     # what is wanted over there will not be told
    for i in range(producer.encoding_count):
        if producer.encodings[i].stream.ssrc:
            put_stream(plane, tap, &producer.encodings[i])


cdef bint pipe_ask_key_frame(Plane *plane, const Encoding *encoding) noexcept nogil:
    cdef const Producer *producer = encoding.producer
    cdef PipeEnd *end = producer.transport.pipe
    if reserve(end, PIPE_KEY_FRAME, producer.origin, encoding.index, 0, 0) == NULL:
        return False
    commit(plane, end, 0)
    return True


cdef bint pipe_tell_wanted(Plane *plane, const Producer *producer, const int8_t *wanted) noexcept nogil:
    cdef PipeEnd *end = producer.transport.pipe
    cdef PipeRecord *record = reserve(end, PIPE_WANTED, producer.origin, 0, ENCODINGS_MAX, 0)
    if record == NULL:
        return False
    memcpy(<uint8_t *>record + sizeof(PipeRecord), wanted, ENCODINGS_MAX)
    commit(plane, end, ENCODINGS_MAX)
    return True


cdef void pipe_ask_again(Plane *plane, const Encoding *encoding, const uint16_t *seqs, int count) noexcept nogil:
    cdef const Producer *producer = encoding.producer
    cdef PipeEnd *end = producer.transport.pipe
    cdef uint32_t size = <uint32_t>count * <uint32_t>sizeof(uint16_t)
    cdef PipeRecord *record = reserve(end, PIPE_NACK, producer.origin, encoding.index, size, 0)
    if record == NULL:
        return
    memcpy(<uint8_t *>record + sizeof(PipeRecord), seqs, size)
    commit(plane, end, size)


cdef void pipe_flush_all(Plane *plane) noexcept nogil:
    cdef uint32_t slot
    if not plane.pipes_hurried:
        return
    plane.pipes_hurried = False
    for slot in range(plane.pipe_slots):
        if plane.pipe_ends[slot] != NULL and plane.pipe_ends[slot].hurried:
            timer_cancel(plane.timers, &plane.pipe_ends[slot].timer)
            pipe_flush(plane.pipe_ends[slot])
