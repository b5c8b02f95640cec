"""What waited leaves; `_pace.pxd` tells how."""

from libc.stdint cimport int64_t
from mediarouter._balance cimport LEFT_GONE
from mediarouter._cache cimport CachedPacket, packet_cache_find
from mediarouter._egress cimport egress_ready, egress_send
from mediarouter._forward cimport forward_cached
from mediarouter._pace_queue cimport HeldPacket, pace_queue_due_us, pace_queue_next
from mediarouter._plane cimport Consumer, Downlink, Plane, Transport, plane_consumer
from mediarouter._send_stream cimport SendRun, send_stream_trace
from mediarouter._timers cimport timer_arm, timer_cancel
from mediarouter.congestion._pacer cimport pacer_set_target


cdef void pace_set_target(Transport *transport) noexcept nogil:
    pacer_set_target(&transport.downlink.pace.pacer, transport.downlink.side.target_bps)


cdef void pace_timer(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef HeldPacket held
    while pace_queue_next(&transport.downlink.pace, &held, not egress_ready(transport), now_us):
        release(plane, transport, &held, now_us)
    egress_send(plane, transport)
    look_again(plane, transport, now_us)


cdef int pace_send(Plane *plane, Transport *transport, int bytes, int64_t now_us) noexcept nogil:
    cdef HeldPacket held
    cdef int left = bytes
    while left > 0 and pace_queue_next(&transport.downlink.pace, &held, True, now_us):
        if release(plane, transport, &held, now_us):
            left -= held.size
    egress_send(plane, transport)
    look_again(plane, transport, now_us)
    return bytes - left


cdef void look_again(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef Downlink *downlink = transport.downlink
    cdef int64_t due_us = pace_queue_due_us(&downlink.pace, now_us)
    if due_us < 0:
        timer_cancel(plane.timers, &downlink.pace_timer)
    else:
        timer_arm(plane.timers, &downlink.pace_timer, due_us)


cdef bint release(Plane *plane, Transport *transport, const HeldPacket *held, int64_t now_us) noexcept nogil:
    # False: its consumer is gone, or what it is made of
    cdef Consumer *consumer = plane_consumer(plane, held.consumer)
    cdef int64_t source_seq
    cdef const SendRun *run
    cdef const CachedPacket *packet
    plane.balance.held -= not held.again
    if consumer != NULL and consumer.producer != NULL and egress_ready(transport):
        run = send_stream_trace(&consumer.stream, held.seq, &source_seq)
        if run != NULL:
            packet = packet_cache_find(consumer.producer.encodings[run.encoding].cache, source_seq, now_us)
            if packet != NULL and forward_cached(plane, consumer, run, packet, held.again, True, now_us):
                return True
    plane.balance.left[<int>LEFT_GONE] += not held.again
    return False
