"""What comes out of pipes; `_pipe_in.pxd`."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy
from mediarouter._cache cimport CachedPacket, packet_cache_find
from mediarouter._drop cimport DROP_PIPE_UNKNOWN
from mediarouter._events cimport EVENT_ENCODING_SEEN, event_put
from mediarouter._feedback cimport feedback_sender_report
from mediarouter._ingress cimport ingress_take_media
from mediarouter._key_frames cimport key_frame_ask
from mediarouter._pipe cimport PipeEnd, pipe_drop, pipe_listen, pipe_peek
from mediarouter._pipe_out cimport (
    PIPE_JUMPED,
    PIPE_KEY_FRAME,
    PIPE_NACK,
    PIPE_PACKET,
    PIPE_RECOVERED,
    PIPE_STREAM,
    PIPE_TAPPED,
    PIPE_WANTED,
    PipeRecord,
    pipe_put_packet,
)
from mediarouter._plane cimport (
    ENCODINGS_MAX,
    Encoding,
    Plane,
    Producer,
    count_drop,
    plane_producer,
    plane_restart_encoding,
    plane_touch_wanted,
)
from mediarouter._recv_stream cimport recv_stream_expect_jump
from mediarouter._rtcp cimport SenderInfo
from mediarouter._rtp cimport RtpView, rtp_parse, seq_unwrap
from mediarouter._timers cimport timer_arm

cdef enum:
    BATCH = 64                     # records of one pipe before commands get their turn


cdef bint pipe_in_drain(Plane *plane, int64_t now_us) noexcept nogil:
    cdef uint32_t slot, size
    cdef int _record
    cdef PipeEnd *end
    cdef uint8_t *data
    cdef bint more = False
    for slot in range(plane.pipe_slots):
        end = plane.pipe_ends[slot]
        if end == NULL:
            continue
        pipe_listen(end)
        for _record in range(BATCH):
            data = pipe_peek(end, &size)
            if data == NULL:
                break
            take(plane, end, <const PipeRecord *>data, data + sizeof(PipeRecord), size - sizeof(PipeRecord), now_us)
            pipe_drop(end)
        else:
            more = True
    return more


cdef bint pipe_in_waits(const Plane *plane) noexcept nogil:
    cdef uint32_t slot, size
    for slot in range(plane.pipe_slots):
        if plane.pipe_ends[slot] != NULL and pipe_peek(plane.pipe_ends[slot], &size) != NULL:
            return True
    return False


cdef void take(Plane *plane, PipeEnd *end, const PipeRecord *record, uint8_t *data, uint32_t size,
               int64_t now_us) noexcept nogil:
    # rows go while records about them are on their way
    cdef Producer *producer = plane_producer(plane, record.producer)
    if producer == NULL or record.encoding >= producer.encoding_count:
        count_drop(plane, DROP_PIPE_UNKNOWN)
    elif record.kind == PIPE_PACKET:
        take_packet(plane, end, &producer.encodings[record.encoding], record, data, <int>size, now_us)
    elif record.kind == PIPE_STREAM:
        take_stream(plane, &producer.encodings[record.encoding], record, now_us)
    elif record.kind == PIPE_KEY_FRAME:
        key_frame_ask(plane, &producer.encodings[record.encoding], now_us)
    elif record.kind == PIPE_NACK:
        resend(plane, end, &producer.encodings[record.encoding], <const uint16_t *>data, size // sizeof(uint16_t),
               now_us)
    elif record.kind == PIPE_TAPPED:
        producer.wanted.unpiped = True
        plane_touch_wanted(plane, producer)
    elif record.kind == PIPE_WANTED and size >= ENCODINGS_MAX:
        take_wanted(plane, end, producer, data)


cdef void take_wanted(Plane *plane, const PipeEnd *end, Producer *producer, const uint8_t *data) noexcept nogil:
    cdef int tap
    for tap in range(producer.tap_count):
        if producer.taps[tap].end == end:
            memcpy(producer.taps[tap].wanted, data, ENCODINGS_MAX)
            plane_touch_wanted(plane, producer)


cdef void take_packet(Plane *plane, PipeEnd *end, Encoding *encoding, const PipeRecord *record, uint8_t *data,
                      int size, int64_t now_us) noexcept nogil:
    cdef RtpView view
    cdef int result = rtp_parse(&view, data, size)
    plane.packets_piped += 1
    end.packets_received += 1
    if result == 0:
        see_ssrc(plane, encoding, view.ssrc)
        if record.flags & PIPE_JUMPED:
            recv_stream_expect_jump(&encoding.stream, view.seq)
        result = ingress_take_media(plane, encoding, &view, record.flags & PIPE_RECOVERED, record.time_us, now_us)
        if result == 0 and encoding.gathered_count == 1 and encoding.gather_timer.armed:
            # the first of its frame: it has waited on the other side too
            encoding.gathered_at_us = record.time_us
            timer_arm(plane.timers, &encoding.gather_timer, record.time_us + plane.gather_now_us)
    if result < 0:
        count_drop(plane, result)


cdef void see_ssrc(Plane *plane, Encoding *encoding, uint32_t ssrc) noexcept nogil:
    if encoding.stream.ssrc == ssrc:
        return
    plane_restart_encoding(plane, encoding, ssrc)
    event_put(&plane.events, EVENT_ENCODING_SEEN, encoding.producer.handle, encoding.index, ssrc, NULL, 0)


cdef void take_stream(Plane *plane, Encoding *encoding, const PipeRecord *record, int64_t now_us) noexcept nogil:
    cdef SenderInfo info
    see_ssrc(plane, encoding, record.ssrc)
    if record.sr_ntp == 0:
        return
    info.ssrc = record.ssrc
    info.ntp = record.sr_ntp
    info.rtp_timestamp = record.sr_rtp_timestamp
    info.packets = 0
    info.octets = 0
    feedback_sender_report(plane, encoding, &info, record.time_us, now_us)


cdef void resend(Plane *plane, const PipeEnd *end, const Encoding *encoding, const uint16_t *seqs, uint32_t count,
                 int64_t now_us) noexcept nogil:
    # what the slab has; what it lacks is asked of the publisher already, and passed on when it comes
    cdef const Producer *producer = encoding.producer
    cdef const CachedPacket *packet
    cdef int tap
    cdef uint32_t i
    for tap in range(producer.tap_count):
        if producer.taps[tap].end == end:
            break
    else:
        return
    if encoding.cache == NULL or encoding.stream.newest_seq < 0:
        return
    for i in range(count):
        packet = packet_cache_find(encoding.cache, seq_unwrap(encoding.stream.newest_seq, seqs[i]), now_us)
        if packet != NULL:
            pipe_put_packet(plane, &producer.taps[tap], encoding.index, packet.data, packet.size, PIPE_RECOVERED,
                            False, now_us)
