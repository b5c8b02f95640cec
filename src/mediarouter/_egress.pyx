"""Outgoing packets; `_egress.pxd` tells how they leave."""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset
from mediarouter._address cimport Address
from mediarouter._drop cimport DROP_SEND_BLOCKED
from mediarouter._plane cimport Outbox, OutPacket, Plane, Transport, count_drop
from mediarouter._srtp cimport SRTP_MAX_TRAILER, srtp_context_protect, srtp_context_protect_rtcp

cdef enum:
    FIRST_PACKETS = 1024


cdef bint outbox_init(Outbox *outbox, size_t arena_size) noexcept nogil:
    memset(outbox, 0, sizeof(Outbox))
    outbox.arena = <uint8_t *>malloc(arena_size)
    outbox.arena_size = arena_size
    if outbox.arena == NULL:
        return False
    memset(outbox.arena, 0, arena_size)      # no page of it shall be found missing in the middle of a batch
    return more_packets(outbox)


cdef void outbox_release(Outbox *outbox) noexcept nogil:
    free(outbox.arena)
    free(outbox.packets)
    free(outbox.heads)
    free(outbox.owners)
    memset(outbox, 0, sizeof(Outbox))


cdef void outbox_detach(Outbox *outbox) noexcept nogil:
    cdef int i
    for i in range(outbox.head_count):
        if outbox.owners[i] != NULL:
            outbox.owners[i].first_out = -1
            outbox.owners[i].last_out = -1
            outbox.owners[i] = NULL


cdef void outbox_clear(Outbox *outbox) noexcept nogil:
    outbox_detach(outbox)
    outbox.used = 0
    outbox.count = 0
    outbox.head_count = 0


cdef bint more_packets(Outbox *outbox) noexcept nogil:
    cdef int capacity = outbox.capacity * 2 if outbox.capacity else FIRST_PACKETS
    cdef OutPacket *packets = <OutPacket *>realloc(outbox.packets, capacity * sizeof(OutPacket))
    if packets == NULL:
        return False
    outbox.packets = packets
    cdef int32_t *heads = <int32_t *>realloc(outbox.heads, capacity * sizeof(int32_t))
    if heads == NULL:
        return False
    outbox.heads = heads
    cdef Transport **owners = <Transport **>realloc(outbox.owners, capacity * sizeof(void *))
    if owners == NULL:
        return False
    outbox.owners = owners
    outbox.capacity = capacity
    return True


cdef bint make_room(Plane *plane, size_t size) noexcept nogil:
    # the engine sends what is there and starts anew; without an engine the arena grows
    cdef Outbox *outbox = plane.outbox
    cdef uint8_t *arena
    if plane.flush != NULL:
        plane.flush(plane.flush_context)
        return plane.outbox.used + size <= plane.outbox.arena_size
    arena = <uint8_t *>realloc(outbox.arena, outbox.arena_size * 2 + size)
    if arena == NULL:
        return False
    outbox.arena = arena
    outbox.arena_size = outbox.arena_size * 2 + size
    return True


cdef uint8_t *egress_reserve(Plane *plane, int size) noexcept nogil:
    cdef size_t room = <size_t>size + SRTP_MAX_TRAILER + 16
    if plane.outbox.used + room > plane.outbox.arena_size and not make_room(plane, room):
        count_drop(plane, DROP_SEND_BLOCKED)
        return NULL
    if plane.outbox.count == plane.outbox.capacity and not more_packets(plane.outbox):
        count_drop(plane, DROP_SEND_BLOCKED)
        return NULL
    return plane.outbox.arena + plane.outbox.used


cdef inline OutPacket *queue(Plane *plane, const Address *remote, int size) noexcept nogil:
    # the packet at the end of the arena is done
    cdef Outbox *outbox = plane.outbox
    cdef OutPacket *packet = &outbox.packets[outbox.count]
    packet.remote = remote[0]
    packet.offset = <uint32_t>outbox.used
    packet.size = <uint16_t>size
    packet.next = -1
    outbox.count += 1
    outbox.used += (<size_t>size + 15) & ~<size_t>15
    return packet


cdef inline void queue_for(Plane *plane, Transport *transport, int size) noexcept nogil:
    cdef Outbox *outbox = plane.outbox
    cdef int32_t index = outbox.count
    queue(plane, &transport.ice.pairs[transport.ice.selected].remote, size)
    if transport.first_out < 0:
        transport.first_out = index
        outbox.heads[outbox.head_count] = index
        outbox.owners[outbox.head_count] = transport
        outbox.head_count += 1
    else:
        outbox.packets[transport.last_out].next = index
    transport.last_out = index
    transport.packets_sent += 1
    transport.bytes_sent += size


cdef bint egress_ready(const Transport *transport) noexcept nogil:
    return transport.outbound != NULL and transport.consent and transport.ice.selected >= 0


cdef bint egress_rtp(Plane *plane, Transport *transport, uint8_t *packet, int size) noexcept nogil:
    size = srtp_context_protect(transport.outbound, packet, size)
    if size < 0:
        count_drop(plane, size)
        return False
    queue_for(plane, transport, size)
    return True


cdef bint egress_rtcp(Plane *plane, Transport *transport, uint8_t *packet, int size) noexcept nogil:
    size = srtp_context_protect_rtcp(transport.outbound, packet, size)
    if size < 0:
        count_drop(plane, size)
        return False
    queue_for(plane, transport, size)
    return True


cdef bint egress_plain(Plane *plane, Transport *transport, const uint8_t *data, int size) noexcept nogil:
    if transport.ice.selected < 0:
        return False
    cdef uint8_t *out = egress_reserve(plane, size)
    if out == NULL:
        return False
    memcpy(out, data, size)
    queue_for(plane, transport, size)
    return True


cdef bint egress_to(Plane *plane, const Address *remote, const uint8_t *data, int size) noexcept nogil:
    cdef uint8_t *out = egress_reserve(plane, size)
    if out == NULL:
        return False
    memcpy(out, data, size)
    plane.outbox.heads[plane.outbox.head_count] = plane.outbox.count
    plane.outbox.owners[plane.outbox.head_count] = NULL
    plane.outbox.head_count += 1
    queue(plane, remote, size)
    return True
