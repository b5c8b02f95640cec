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
    TRAILER_ROOM = 48              # what padding (at most PAD_MAX) and a tag add to a packet that others follow
    PAD_MAX = 12
    PAD_SHARE = 100                # of a hundred bytes at most one is padding
    PAD_FROM = 256                 # bytes of a packet; smaller ones, audio above all, are left alone
    PADDING_BIT = 0x20
    ALIGNMENT = 16
    ENOUGH = 196608                # bytes: a fraction of a second-level cache


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
    outbox.unsealed = 0
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
    egress_seal(plane)
    if plane.flush != NULL:
        plane.flush(plane.flush_context)
        return plane.outbox.used + size <= plane.outbox.arena_size
    arena = <uint8_t *>realloc(outbox.arena, outbox.arena_size * 2 + size)
    if arena == NULL:
        return False
    outbox.arena = arena
    outbox.arena_size = outbox.arena_size * 2 + size
    return True


cdef void egress_relieve(Plane *plane) noexcept nogil:
    if plane.outbox.used > ENOUGH and plane.flush != NULL:
        egress_seal(plane)
        plane.flush(plane.flush_context)


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
    packet.sealed = True
    packet.next = -1
    outbox.count += 1
    outbox.used += (<size_t>size + ALIGNMENT - 1) & ~<size_t>(ALIGNMENT - 1)
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


cdef void egress_rtp(Plane *plane, Transport *transport, int size) noexcept nogil:
    cdef Outbox *outbox = plane.outbox
    queue_for(plane, transport, size)
    outbox.packets[outbox.count - 1].sealed = False
    outbox.used += TRAILER_ROOM
    outbox.unsealed += 1


cdef void egress_seal(Plane *plane) noexcept nogil:
    cdef Outbox *outbox = plane.outbox
    cdef int i
    if outbox.unsealed == 0:
        return
    for i in range(outbox.head_count):
        if outbox.owners[i] != NULL:
            seal_chain(plane, outbox, outbox.owners[i], outbox.heads[i])
    outbox.unsealed = 0


cdef void seal_chain(Plane *plane, Outbox *outbox, Transport *transport, int32_t at) noexcept nogil:
    cdef int32_t run_end = -1
    cdef OutPacket *packet
    cdef int size
    while at >= 0:
        packet = &outbox.packets[at]
        if packet.sealed:
            at = packet.next
            continue
        if run_end < 0:
            run_end = equalise(plane, outbox, at)
        if at == run_end:
            run_end = -1
        size = srtp_context_protect(transport.outbound, outbox.arena + packet.offset, packet.size)
        packet.sealed = True
        if size < 0:
            count_drop(plane, size)
            packet.size = 0
            transport.packets_sent -= 1
        else:
            transport.bytes_sent += size - packet.size
            packet.size = <uint16_t>size
        at = packet.next


cdef int32_t equalise(Plane *plane, Outbox *outbox, int32_t first) noexcept nogil:
    # Make a run of packets from here on as long as the longest of them, but for the last, which may be shorter. The
    # index of the last. A run ends before a packet that would cost more than its share of padding.
    cdef OutPacket *packet = &outbox.packets[first]
    cdef int longest = packet.size
    cdef int shortest = packet.size
    cdef int32_t last = first
    cdef int32_t at = packet.next
    cdef int size
    while at >= 0:
        packet = &outbox.packets[at]
        size = packet.size
        if packet.sealed or size > longest and too_far(size, shortest):
            break
        last = at
        if too_far(longest, size):
            break                  # much shorter: it can only be the last
        longest = size if size > longest else longest
        shortest = size if size < shortest else shortest
        at = packet.next
    at = first
    while at != last:
        packet = &outbox.packets[at]
        if packet.size < longest:
            pad(outbox.arena + packet.offset, packet.size, longest)
            plane.padded += 1
            packet.size = <uint16_t>longest
        at = packet.next
    return last


cdef inline bint too_far(int longer, int shorter) noexcept nogil:
    cdef int limit = longer // PAD_SHARE if longer >= PAD_FROM else 0
    return longer - shorter > (limit if limit < PAD_MAX else PAD_MAX)


cdef inline void pad(uint8_t *packet, int size, int wanted) noexcept nogil:
    # what has padding already is left longer by the same means: its last byte counts all of it
    cdef int before = packet[size - 1] if packet[0] & PADDING_BIT else 0
    memset(packet + size, 0, wanted - size)
    packet[0] |= PADDING_BIT
    packet[wanted - 1] = <uint8_t>(before + wanted - size)


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
