"""Frames that wait to be whole; `_gather.pxd` tells why."""

from libc.stdint cimport int64_t, uint64_t
from mediarouter._cache cimport CachedPacket, packet_cache_find
from mediarouter._drop cimport DROP_PRODUCER_PAUSED
from mediarouter._forward cimport Passage, forward, passage_init
from mediarouter._plane cimport GATHERED_MAX, Encoding, Plane, count_drop, plane_take_gathered
from mediarouter._rtp cimport RtpView, rtp_parse
from mediarouter._timers cimport timer_arm, timer_cancel

cdef enum:
    COPIES_PER_TURN = 64           # of packets: about 100 us


cdef void gather_packet(Plane *plane, Encoding *encoding, int64_t seq, bint wait, int64_t now_us) noexcept nogil:
    cdef int at = encoding.gathered_count
    if at == 0:
        encoding.gathered_at_us = now_us
        plane.gathering += 1
    while at > 0 and encoding.gathered[at - 1] > seq:
        encoding.gathered[at] = encoding.gathered[at - 1]
        at -= 1
    encoding.gathered[at] = seq
    encoding.gathered_count += 1
    plane.balance.gathered += 1
    if encoding.gathered_count == GATHERED_MAX or plane.gather_now_us == 0 or not (wait or plane.in_turns):
        gather_flush(plane, encoding, now_us)
    elif not wait:
        make_due(plane, encoding)
    elif encoding.gathered_count == 1:
        timer_arm(plane.timers, &encoding.gather_timer, now_us + plane.gather_now_us)


cdef void gather_expire(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil:
    if plane.in_turns:
        make_due(plane, encoding)
    else:
        gather_flush(plane, encoding, now_us)


cdef void make_due(Plane *plane, Encoding *encoding) noexcept nogil:
    if encoding.due:
        return
    timer_cancel(plane.timers, &encoding.gather_timer)
    encoding.due = True
    encoding.before_due = plane.last_due
    if plane.last_due != NULL:
        plane.last_due.next_due = encoding
    else:
        plane.first_due = encoding
    plane.last_due = encoding


cdef void gather_take_turns(Plane *plane, int64_t now_us) noexcept nogil:
    cdef uint64_t begun = plane.packets_forwarded + plane.balance.held
    while plane.first_due != NULL and plane.packets_forwarded + plane.balance.held - begun < COPIES_PER_TURN:
        gather_flush(plane, plane.first_due, now_us)


cdef void gather_flush(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil:
    cdef RtpView views[GATHERED_MAX]
    cdef Passage passages[GATHERED_MAX]
    cdef const CachedPacket *packet
    cdef int i
    cdef int count = 0
    cdef int waiting = plane_take_gathered(plane, encoding)
    if waiting == 0:
        return
    if now_us - encoding.gathered_at_us > plane.longest_gathered_us:
        plane.longest_gathered_us = now_us - encoding.gathered_at_us
    for i in range(waiting):
        packet = packet_cache_find(encoding.cache, encoding.gathered[i], now_us)
        if packet == NULL or rtp_parse(&views[count], packet.data, packet.size) != 0:
            plane.balance.forgotten += 1
            continue
        if encoding.producer.paused:
            count_drop(plane, DROP_PRODUCER_PAUSED)
            continue
        passage_init(&passages[count], &views[count], encoding, packet.seq)
        count += 1
    forward(plane, passages, count, now_us)
