"""Outgoing packets; `_egress.pxd` tells how they leave."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset
from mediarouter._address cimport Address
from mediarouter._drop cimport DROP_SEND_BLOCKED
from mediarouter._plane cimport (
    DRAFTS_MAX,
    SEND_CONTROL,
    Destination,
    Downlink,
    Draft,
    Outbox,
    OutPacket,
    Plane,
    SendClass,
    Transport,
    count_drop,
    plane_feedback_stream,
)
from mediarouter._rtp cimport read_u16, read_u32
from mediarouter._srtp cimport (
    SRTP_MAX_TRAILER,
    SrtpFanoutItem,
    srtp_context_growth,
    srtp_context_protect_rtcp,
    srtp_protect_many,
)
from mediarouter.congestion._estimator cimport send_side_name, send_side_sent
from mediarouter.congestion._prober cimport prober_cluster, prober_sent

cdef enum:
    FIRST_PACKETS = 1024
    PAD_SHARE = 100                # of a hundred bytes at most one is padding
    PAD_FROM = 256                 # bytes of a packet; smaller ones, audio above all, are left alone
    PADDING_BIT = 0x20
    ALIGNMENT = 16
    UDP_OVERHEAD = 28              # what IP and UDP add, as PACKET_OVERHEAD has it
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
    free(outbox.destinations)
    memset(outbox, 0, sizeof(Outbox))


cdef void outbox_detach(Outbox *outbox) noexcept nogil:
    cdef int i
    cdef Transport *owner
    for i in range(outbox.destination_count):
        owner = outbox.destinations[i].owner
        if owner != NULL:
            owner.first_out = -1
            owner.last_out = -1
            outbox.destinations[i].owner = NULL


cdef void outbox_clear(Outbox *outbox) noexcept nogil:
    outbox_detach(outbox)
    outbox.total += <uint64_t>outbox.count
    outbox.used = 0
    outbox.count = 0
    outbox.destination_count = 0


cdef bint more_packets(Outbox *outbox) noexcept nogil:
    cdef int capacity = outbox.capacity * 2 if outbox.capacity else FIRST_PACKETS
    cdef OutPacket *packets = <OutPacket *>realloc(outbox.packets, capacity * sizeof(OutPacket))
    if packets == NULL:
        return False
    outbox.packets = packets
    cdef Destination *destinations = <Destination *>realloc(outbox.destinations, capacity * sizeof(Destination))
    if destinations == NULL:
        return False
    outbox.destinations = destinations
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


cdef void egress_relieve(Plane *plane) noexcept nogil:
    if plane.outbox.used > ENOUGH and plane.flush != NULL:
        plane.flush(plane.flush_context)


cdef bint reserve(Plane *plane, size_t room, int packets) noexcept nogil:
    if plane.outbox.used + room > plane.outbox.arena_size and not make_room(plane, room):
        return False
    while plane.outbox.count + packets > plane.outbox.capacity:
        if not more_packets(plane.outbox):
            return False
    return True


cdef uint8_t *egress_reserve(Plane *plane, int size) noexcept nogil:
    if not reserve(plane, <size_t>size + SRTP_MAX_TRAILER + ALIGNMENT, 1):
        count_drop(plane, DROP_SEND_BLOCKED)
        return NULL
    return plane.outbox.arena + plane.outbox.used


cdef inline size_t aligned(size_t size) noexcept nogil:
    return (size + ALIGNMENT - 1) & ~<size_t>(ALIGNMENT - 1)


cdef inline int32_t add_packet(Outbox *outbox, uint32_t offset, int size, SendClass send_class) noexcept nogil:
    cdef OutPacket *packet = &outbox.packets[outbox.count]
    packet.offset = offset
    packet.size = <uint16_t>size
    packet.send_class = <uint8_t>send_class
    packet.next = -1
    outbox.count += 1
    return outbox.count - 1


cdef inline void add_destination(Outbox *outbox, const Address *remote, int32_t first,
                                 Transport *owner) noexcept nogil:
    cdef Destination *destination = &outbox.destinations[outbox.destination_count]
    destination.remote = remote[0]
    destination.first = first
    destination.owner = owner
    outbox.destination_count += 1


cdef void outbox_add(Outbox *outbox, const Address *remote, int size, SendClass send_class,
                     bint follows) noexcept nogil:
    cdef int32_t index = add_packet(outbox, <uint32_t>outbox.used, size, send_class)
    outbox.used += aligned(size)
    if follows:
        outbox.packets[index - 1].next = index
    else:
        add_destination(outbox, remote, index, NULL)


cdef inline void queue(Outbox *outbox, Transport *transport, const Address *remote, uint32_t offset, int size,
                       SendClass send_class) noexcept nogil:
    cdef int32_t index = add_packet(outbox, offset, size, send_class)
    if transport.first_out >= 0:
        outbox.packets[transport.last_out].next = index
    else:
        transport.first_out = index
        add_destination(outbox, remote, index, transport)
    transport.last_out = index


cdef inline void queue_for(Plane *plane, Transport *transport, int size) noexcept nogil:
    # what was written at the end of the arena is done
    queue(plane.outbox, transport, &transport.ice.pairs[transport.ice.selected].remote, <uint32_t>plane.outbox.used,
          size, SEND_CONTROL)
    plane.outbox.used += aligned(size)
    plane.balance.control += 1
    transport.packets_sent += 1
    transport.bytes_sent += size


cdef bint egress_ready(const Transport *transport) noexcept nogil:
    return transport.outbound != NULL and transport.consent and transport.ice.selected >= 0


# ---- RTP: drafts

cdef Draft *egress_draft(Plane *plane, Transport *transport) noexcept nogil:
    if plane.draft_count == DRAFTS_MAX:
        egress_send(plane, transport)
    plane.draft_count += 1
    return &plane.drafts[plane.draft_count - 1]


cdef void egress_send(Plane *plane, Transport *transport) noexcept nogil:
    cdef SrtpFanoutItem items[DRAFTS_MAX]
    cdef int count = plane.draft_count
    cdef int growth, i, last
    cdef size_t room = ALIGNMENT
    if count == 0:
        return
    plane.draft_count = 0
    growth = srtp_context_growth(transport.outbound)
    last = -1
    for i in range(count):
        if i > last:
            last = equalise(plane, plane.drafts, i, count)
        room += <size_t>(size_of(&plane.drafts[i]) + growth)
    if not reserve(plane, room, count):
        plane.drops[-<int>DROP_SEND_BLOCKED] += <uint64_t>count
        plane.balance.no_room += <uint64_t>count
        return
    lay_out(plane, transport, items, count, growth)
    srtp_protect_many(items, count)
    queue_items(plane, transport, items, count)


cdef void lay_out(Plane *plane, Transport *transport, SrtpFanoutItem *items, int count, int growth) noexcept nogil:
    # headers go to their places; payloads do only where this receiver's differ
    cdef uint8_t *out = plane.outbox.arena + plane.outbox.used
    cdef Draft *draft
    cdef int i
    for i in range(count):
        draft = &plane.drafts[i]
        memcpy(out, draft.header, draft.header_size)
        items[i].context = transport.outbound
        items[i].out = out
        items[i].header_size = draft.header_size
        items[i].payload = draft.payload
        items[i].payload_size = draft.front_size + draft.payload_size
        out += draft.header_size
        if draft.front_size:
            memcpy(out, draft.front, draft.front_size)
            memcpy(out + draft.front_size, draft.payload, draft.payload_size)
            items[i].payload = out
        out += items[i].payload_size + growth


cdef void queue_items(Plane *plane, Transport *transport, const SrtpFanoutItem *items, int count) noexcept nogil:
    cdef const Address *remote = &transport.ice.pairs[transport.ice.selected].remote
    cdef Outbox *outbox = plane.outbox
    cdef size_t end = outbox.used
    cdef int i
    for i in range(count):
        if items[i].size < 0:
            count_drop(plane, items[i].size)
            plane.balance.unprotected += 1
            continue
        end = <size_t>(items[i].out - outbox.arena) + items[i].size
        queue(outbox, transport, remote, <uint32_t>(items[i].out - outbox.arena), items[i].size,
              plane.drafts[i].send_class)
        transport.packets_sent += 1
        transport.bytes_sent += items[i].size
        if transport.downlink != NULL and plane.drafts[i].transport_seq >= 0:
            note_sent(transport.downlink, plane.drafts[i].transport_seq, items[i].size + UDP_OVERHEAD,
                      plane.sending_us)
            if transport.downlink.by_stream:
                name_sent(transport, plane.drafts[i].header)
    outbox.used = aligned(end)


cdef inline void note_sent(Downlink *downlink, int transport_seq, int size_bytes, int64_t now_us) noexcept nogil:
    # media counts towards a probe as well
    cdef int cluster = prober_cluster(&downlink.prober) if downlink.prober.count else 0
    send_side_sent(&downlink.side, <uint16_t>transport_seq, size_bytes, cluster, now_us)
    if cluster:
        prober_sent(&downlink.prober, size_bytes, now_us)


cdef void name_sent(Transport *transport, const uint8_t *header) noexcept nogil:
    # the viewer's reports know it by SSRC and sequence number
    cdef int stream = plane_feedback_stream(&transport.sent, read_u32(header + 8))
    if stream >= 0:
        send_side_name(&transport.downlink.side, stream, read_u16(header + 2))


cdef int equalise(Plane *plane, Draft *drafts, int first, int count) noexcept nogil:
    # Make a run of packets from here on as long as the longest of them, but for the last, which may be shorter. The
    # index of the last. A run ends before a packet that would cost more than its share of padding.
    cdef int longest = size_of(&drafts[first])
    cdef int shortest = longest
    cdef int last = first
    cdef int at, size
    for at in range(first + 1, count):
        size = size_of(&drafts[at])
        if size > longest and too_far(size, shortest):
            break
        last = at
        if too_far(longest, size):
            break                  # much shorter: it can only be the last
        longest = size if size > longest else longest
        shortest = size if size < shortest else shortest
    for at in range(first, last):
        size = longest - size_of(&drafts[at])
        if size and drafts[at].paddable:
            pad(&drafts[at], size)
            plane.padded += 1
    return last


cdef inline int size_of(const Draft *draft) noexcept nogil:
    return draft.header_size + draft.front_size + draft.payload_size


cdef inline bint too_far(int longer, int shorter) noexcept nogil:
    cdef int limit = longer // PAD_SHARE if longer >= PAD_FROM else 0
    return longer - shorter > (limit if limit < PAD_MAX else PAD_MAX)


cdef inline void pad(Draft *draft, int size) noexcept nogil:
    memset(draft.payload + draft.payload_size, 0, size - 1)
    draft.payload[draft.payload_size + size - 1] = <uint8_t>size
    draft.payload_size += size
    draft.header[0] |= PADDING_BIT


# ---- all else

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
    outbox_add(plane.outbox, remote, size, SEND_CONTROL, False)
    plane.balance.control += 1
    return True
