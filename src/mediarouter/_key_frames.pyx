"""When a publisher is asked for a key frame; `_key_frames.pxd` states the rule."""

from libc.stdint cimport int64_t, uint8_t
from mediarouter._egress cimport egress_ready, egress_reserve, egress_rtcp
from mediarouter._events cimport EVENT_KEY_FRAME_ASKED, event_put
from mediarouter._pipe_out cimport pipe_ask_key_frame
from mediarouter._plane cimport Consumer, Encoding, Plane, Producer, Transport
from mediarouter._rtcp cimport rtcp_write_fir, rtcp_write_pli
from mediarouter._timers cimport timer_arm, timer_cancel

cdef enum:
    SILENT_US = 2000000            # an encoding that says nothing for so long is not asked again
    REQUEST_SIZE = 32


cdef void key_frame_ask(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil:
    if encoding.key_frame_wanted:
        encoding.key_frames_spared += 1
        return
    if encoding.stream.ssrc == 0:
        return                     # what has not begun will begin with a key frame
    encoding.key_frame_wanted = True
    cdef int64_t due_us = encoding.key_frame_asked_us + plane.key_frame_interval_us
    if encoding.key_frame_asked_us < 0 or now_us >= due_us:
        send_request(plane, encoding, now_us)
    else:
        timer_arm(plane.timers, &encoding.key_frame_timer, due_us)


cdef void key_frame_arrived(Plane *plane, Encoding *encoding, int64_t seq) noexcept nogil:
    cdef Producer *producer = encoding.producer
    cdef Consumer *consumer
    cdef int i
    for i in range(producer.consumer_count):
        consumer = producer.consumers[i]
        if consumer.awaits_key_frame and consumer.layers.current_spatial == encoding.index:
            # who gave up on what was before needs none of it any more
            consumer.awaits_key_frame = False
            consumer.resend_encoding = encoding.index
            consumer.resend_from = seq
    encoding.key_frames += 1
    encoding.key_frame_wanted = False
    timer_cancel(plane.timers, &encoding.key_frame_timer)


cdef void key_frame_timer(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil:
    if not encoding.key_frame_wanted:
        return
    if now_us - encoding.stream.newest_arrival_us > SILENT_US:
        encoding.key_frame_wanted = False
    else:
        send_request(plane, encoding, now_us)


cdef void send_request(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil:
    cdef Transport *transport = encoding.producer.transport
    timer_arm(plane.timers, &encoding.key_frame_timer, now_us + plane.key_frame_interval_us)
    if transport.pipe != NULL:
        if not pipe_ask_key_frame(plane, encoding):
            return
    elif not write_request(plane, transport, encoding):
        return
    encoding.key_frame_asked_us = now_us
    encoding.key_frames_asked += 1
    event_put(&plane.events, EVENT_KEY_FRAME_ASKED, encoding.producer.handle, encoding.index, 0, NULL, 0)


cdef bint write_request(Plane *plane, Transport *transport, Encoding *encoding) noexcept nogil:
    cdef uint8_t *out
    cdef int size
    if not egress_ready(transport):
        return False
    out = egress_reserve(plane, REQUEST_SIZE)
    if out == NULL:
        return False
    if encoding.use_fir:
        encoding.fir_seq += 1
        size = rtcp_write_fir(out, REQUEST_SIZE, transport.feedback_ssrc, encoding.stream.ssrc, encoding.fir_seq)
    else:
        size = rtcp_write_pli(out, REQUEST_SIZE, transport.feedback_ssrc, encoding.stream.ssrc)
    egress_rtcp(plane, transport, out, size)
    return True
