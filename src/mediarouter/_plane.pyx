"""The data plane's tables: making and unmaking their rows; `_plane.pxd` shows them."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset
from mediarouter._balance cimport LEFT_GONE
from mediarouter._cache cimport (
    packet_cache_clear,
    packet_cache_free,
    packet_cache_new,
    packet_pool_free,
    packet_pool_new,
)
from mediarouter._events cimport event_ring_init, event_ring_release
from mediarouter._ice cimport ice_init
from mediarouter._layers cimport LAYER_BEST, LAYER_NONE, layers_init, layers_reset
from mediarouter._lookup cimport (
    SsrcEntry,
    SsrcTable,
    address_table_find,
    address_table_release,
    address_table_remove,
    ssrc_table_find,
    ssrc_table_release,
    ssrc_table_remove,
)
from mediarouter._pace_queue cimport pace_queue_release
from mediarouter._pipe cimport PipeEnd, pipe_close_end
from mediarouter._recv_stream cimport recv_stream_init, recv_stream_release
from mediarouter._send_stream cimport send_stream_init, send_stream_release
from mediarouter._srtp cimport srtp_context_free, srtp_context_remove_ssrc
from mediarouter._timers cimport (
    timer_arm,
    timer_cancel,
    timer_init,
    timer_next_deadline_us,
    timer_wheel_free,
    timer_wheel_new,
)
from mediarouter.codecs._codec cimport CODEC_OPAQUE, codec_of
from mediarouter.congestion._alloc_stream cimport ALLOC_AUDIO, ALLOC_GRID, alloc_stream_init
from mediarouter.congestion._ccfb cimport ccfb_record_free
from mediarouter.congestion._ccfb_index cimport CCFB_STREAMS_MAX
from mediarouter.congestion._twcc cimport twcc_record_free, twcc_record_new

cdef enum:
    TOUCH_US = 5000                # what changes at once is shared out once
    SLOT_BITS = 20                 # a million of each kind
    SLOT_MASK = (1 << 20) - 1
    CACHE_CAPACITY = 2048          # packets a video stream keeps, at most
    CACHE_AGE_US = 2000000
    EVENT_RING_SIZE = 1 << 20
    CONSENT_TIMEOUT_US = 30000000  # RFC 7675 section 5.1
    KEY_FRAME_INTERVAL_US = 500000
    GATHER_US = 1000
    NO_FEEDBACK_STREAM = CCFB_STREAMS_MAX // 2     # each has two: what is sent, and what is sent again


cdef bint plane_init(Plane *plane) noexcept nogil:
    memset(plane, 0, sizeof(Plane))
    plane.pool = packet_pool_new(BLOCK_SIZE)
    plane.timers = timer_wheel_new()
    plane.drafts = <Draft *>malloc(DRAFTS_MAX * sizeof(Draft))
    plane.key_frame_interval_us = KEY_FRAME_INTERVAL_US
    plane.consent_timeout_us = CONSENT_TIMEOUT_US
    plane.gather_us = plane.gather_now_us = GATHER_US
    return event_ring_init(&plane.events, EVENT_RING_SIZE) and plane.pool != NULL and plane.timers != NULL \
        and plane.drafts != NULL


cdef void plane_release(Plane *plane) noexcept nogil:
    cdef uint32_t slot
    for slot in range(plane.transport_slots):
        if plane.transports[slot] != NULL:
            plane_remove_transport(plane, plane.transports[slot])
    for slot in range(plane.pipe_slots):
        if plane.pipe_ends[slot] != NULL:
            plane_remove_pipe_end(plane, plane.pipe_ends[slot])
    free(plane.pipe_ends)
    free(plane.transports)
    free(plane.producers)
    free(plane.consumers)
    address_table_release(&plane.addresses)
    event_ring_release(&plane.events)
    timer_wheel_free(plane.timers)
    packet_pool_free(plane.pool)
    free(plane.drafts)
    free(plane.alloc_streams)
    free(plane.alloc_rows)
    free(plane.alloc_places)
    memset(plane, 0, sizeof(Plane))


cdef uint32_t used(void *const *table, uint32_t slots) noexcept nogil:
    cdef uint32_t slot
    cdef uint32_t count = 0
    for slot in range(slots):
        count += table[slot] != NULL
    return count


cdef PlaneRows plane_count_rows(const Plane *plane) noexcept nogil:
    cdef PlaneRows rows
    rows.transports = used(<void *const *>plane.transports, plane.transport_slots)
    rows.producers = used(<void *const *>plane.producers, plane.producer_slots)
    rows.consumers = used(<void *const *>plane.consumers, plane.consumer_slots)
    rows.pipe_ends = used(<void *const *>plane.pipe_ends, plane.pipe_slots)
    rows.addresses = plane.addresses.count
    rows.timers = timer_next_deadline_us(plane.timers) >= 0
    return rows


cdef Transport *plane_transport(const Plane *plane, uint32_t handle) noexcept nogil:
    cdef uint32_t slot = handle & SLOT_MASK
    if slot >= plane.transport_slots or plane.transports[slot] == NULL or plane.transports[slot].handle != handle:
        return NULL
    return plane.transports[slot]


cdef Producer *plane_producer(const Plane *plane, uint32_t handle) noexcept nogil:
    cdef uint32_t slot = handle & SLOT_MASK
    if slot >= plane.producer_slots or plane.producers[slot] == NULL or plane.producers[slot].handle != handle:
        return NULL
    return plane.producers[slot]


cdef Consumer *plane_consumer(const Plane *plane, uint32_t handle) noexcept nogil:
    cdef uint32_t slot = handle & SLOT_MASK
    if slot >= plane.consumer_slots or plane.consumers[slot] == NULL or plane.consumers[slot].handle != handle:
        return NULL
    return plane.consumers[slot]


cdef PipeEnd *plane_pipe_end(const Plane *plane, uint32_t handle) noexcept nogil:
    cdef uint32_t slot = handle & SLOT_MASK
    if slot >= plane.pipe_slots or plane.pipe_ends[slot] == NULL or plane.pipe_ends[slot].handle != handle:
        return NULL
    return plane.pipe_ends[slot]


cdef bint place(Plane *plane, void ***table, uint32_t *slots, void *row, uint32_t *handle) noexcept nogil:
    # find a free slot for a row, grow the table when there is none
    cdef uint32_t slot
    cdef uint32_t more
    cdef void **grown
    for slot in range(slots[0]):
        if table[0][slot] == NULL:
            break
    else:
        slot = slots[0]
        more = slots[0] * 2 if slots[0] else 16
        if more > SLOT_MASK:
            return False
        grown = <void **>realloc(table[0], more * sizeof(void *))
        if grown == NULL:
            return False
        memset(&grown[slots[0]], 0, (more - slots[0]) * sizeof(void *))
        table[0] = grown
        slots[0] = more
    plane.generation = (plane.generation % 0xFFF) + 1
    handle[0] = slot | (plane.generation << SLOT_BITS)
    table[0][slot] = row
    return True


cdef bint append(void ***items, int *count, int *capacity, void *item) noexcept nogil:
    cdef int more
    cdef void **grown
    if count[0] == capacity[0]:
        more = capacity[0] * 2 if capacity[0] else 4
        grown = <void **>realloc(items[0], more * sizeof(void *))
        if grown == NULL:
            return False
        items[0] = grown
        capacity[0] = more
    items[0][count[0]] = item
    count[0] += 1
    return True


cdef void take_out(void **items, int *count, void *item) noexcept nogil:
    # keeps the order: who came first is served first
    cdef int i
    cdef int kept = 0
    for i in range(count[0]):
        if items[i] != item:
            items[kept] = items[i]
            kept += 1
    count[0] = kept


cdef Transport *plane_add_transport(Plane *plane, int64_t now_us) noexcept nogil:
    cdef Transport *transport = <Transport *>calloc(1, sizeof(Transport))
    if transport == NULL:
        return NULL
    transport.twcc = twcc_record_new()
    if transport.twcc == NULL or not place(plane, <void ***>&plane.transports, &plane.transport_slots, transport,
                                           &transport.handle):
        twcc_record_free(transport.twcc)
        free(transport)
        return NULL
    ice_init(&transport.ice, plane.consent_timeout_us)
    transport.first_out = -1
    transport.last_out = -1
    timer_init(&transport.reports_timer, TIMER_REPORTS, transport)
    timer_init(&transport.twcc_timer, TIMER_TWCC, transport)
    timer_init(&transport.consent_timer, TIMER_CONSENT, transport)
    return transport


cdef Producer *plane_add_producer(Plane *plane, Transport *transport, int encoding_count, uint32_t clock_rate,
                                  bint is_video, bint nack) noexcept nogil:
    cdef Producer *producer = <Producer *>calloc(1, sizeof(Producer))
    cdef int i
    if producer == NULL:
        return NULL
    if not place(plane, <void ***>&plane.producers, &plane.producer_slots, producer, &producer.handle):
        free(producer)
        return NULL
    producer.transport = transport
    producer.codec = codec_of(CODEC_OPAQUE)
    producer.encoding_count = encoding_count
    producer.clock_rate = clock_rate
    producer.is_video = is_video
    producer.nack = nack
    producer.audio_level = 127
    producer.rtx_payload_type = NO_PAYLOAD_TYPE
    timer_init(&producer.liveness_timer, TIMER_LIVENESS, producer)
    init_wanted(producer)
    for i in range(encoding_count):
        init_encoding(plane, producer, i)
    plane_touch_wanted(plane, producer)
    if not has_caches(producer) or not append(<void ***>&transport.producers, &transport.producer_count,
                                              &transport.producer_capacity, producer):
        plane_remove_producer(plane, producer)
        return NULL
    return producer


cdef void init_wanted(Producer *producer) noexcept nogil:
    # a publisher begins with all it has
    cdef WantedLayers *wanted = &producer.wanted
    timer_init(&wanted.timer, TIMER_WANTED, producer)
    memset(wanted.now, LAYER_BEST, sizeof(wanted.now))
    memset(wanted.told, LAYER_BEST, sizeof(wanted.told))
    memset(wanted.piped, LAYER_NONE, sizeof(wanted.piped))
    memset(wanted.fallen_us, 0xFF, sizeof(wanted.fallen_us))
    memset(wanted.raised_us, 0xFF, sizeof(wanted.raised_us))
    wanted.unpiped = True


cdef void init_encoding(Plane *plane, Producer *producer, int index) noexcept nogil:
    cdef Encoding *encoding = &producer.encodings[index]
    encoding.producer = producer
    encoding.index = <uint8_t>index
    recv_stream_init(&encoding.stream, 0, producer.clock_rate, producer.nack)
    encoding.key_frame_asked_us = -1
    timer_init(&encoding.nack_timer, TIMER_NACK, encoding)
    timer_init(&encoding.key_frame_timer, TIMER_KEY_FRAME, encoding)
    timer_init(&encoding.gather_timer, TIMER_GATHER, encoding)
    if producer.is_video:
        encoding.cache = packet_cache_new(plane.pool, CACHE_CAPACITY, CACHE_AGE_US)


cdef bint has_caches(const Producer *producer) noexcept nogil:
    cdef int i
    for i in range(producer.encoding_count):
        if producer.is_video and producer.encodings[i].cache == NULL:
            return False
    return True


cdef uint16_t free_feedback_stream(const Transport *transport) noexcept nogil:
    # the least that no other consumer has; NO_FEEDBACK_STREAM where there are too many
    cdef uint64_t taken[(NO_FEEDBACK_STREAM >> 6) + 1]
    cdef uint16_t number
    cdef int i
    memset(taken, 0, sizeof(taken))
    for i in range(transport.consumer_count):
        number = transport.consumers[i].feedback_stream
        taken[number >> 6] |= <uint64_t>1 << (number & 63)
    for i in range(NO_FEEDBACK_STREAM):
        if not taken[i >> 6] >> (i & 63) & 1:
            return <uint16_t>i
    return NO_FEEDBACK_STREAM


cdef int plane_feedback_stream(const void *sent, uint32_t ssrc) noexcept nogil:
    cdef const SsrcEntry *entry = ssrc_table_find(<const SsrcTable *>sent, ssrc)
    cdef const Consumer *consumer
    if entry == NULL or entry.role not in (ROLE_CONSUMER, ROLE_CONSUMER_RTX):
        return -1
    consumer = <const Consumer *>entry.owner
    if consumer.feedback_stream == NO_FEEDBACK_STREAM:
        return -1
    return 2 * consumer.feedback_stream + (entry.role == ROLE_CONSUMER_RTX)


cdef Consumer *plane_add_consumer(Plane *plane, Transport *transport, Producer *producer,
                                  uint16_t first_seq) noexcept nogil:
    cdef Consumer *consumer = <Consumer *>calloc(1, sizeof(Consumer))
    if consumer == NULL:
        return NULL
    if not place(plane, <void ***>&plane.consumers, &plane.consumer_slots, consumer, &consumer.handle):
        free(consumer)
        return NULL
    consumer.transport = transport
    consumer.producer = producer
    consumer.fir_seq = -1
    consumer.feedback_stream = free_feedback_stream(transport)
    consumer.rtx_payload_type = NO_PAYLOAD_TYPE
    send_stream_init(&consumer.stream, first_seq)
    layers_init(&consumer.layers)
    alloc_stream_init(&consumer.allocation)
    consumer.allocation.weight = 1
    consumer.allocation.stream_class = <uint8_t>(ALLOC_GRID if producer.is_video else ALLOC_AUDIO)
    if (not append(<void ***>&producer.consumers, &producer.consumer_count, &producer.consumer_capacity, consumer)
            or not append(<void ***>&transport.consumers, &transport.consumer_count, &transport.consumer_capacity,
                          consumer)):
        plane_remove_consumer(plane, consumer)
        return NULL
    plane_touch_wanted(plane, producer)
    return consumer


cdef void plane_remove_consumer(Plane *plane, Consumer *consumer) noexcept nogil:
    cdef Transport *transport = consumer.transport
    take_out(<void **>consumer.producer.consumers, &consumer.producer.consumer_count, consumer)
    plane_touch_wanted(plane, consumer.producer)
    take_out(<void **>transport.consumers, &transport.consumer_count, consumer)
    if consumer.ssrc:
        ssrc_table_remove(&transport.sent, consumer.ssrc)
        if transport.outbound != NULL:
            srtp_context_remove_ssrc(transport.outbound, consumer.ssrc)
    if consumer.rtx_ssrc:
        ssrc_table_remove(&transport.sent, consumer.rtx_ssrc)
        if transport.outbound != NULL:
            srtp_context_remove_ssrc(transport.outbound, consumer.rtx_ssrc)
    send_stream_release(&consumer.stream)
    plane.consumers[consumer.handle & SLOT_MASK] = NULL
    free(consumer)


cdef void forget_ssrc(Transport *transport, uint32_t ssrc) noexcept nogil:
    if ssrc:
        ssrc_table_remove(&transport.received, ssrc)
        if transport.inbound != NULL:
            srtp_context_remove_ssrc(transport.inbound, ssrc)


cdef void plane_remove_producer(Plane *plane, Producer *producer) noexcept nogil:
    cdef Transport *transport = producer.transport
    cdef Encoding *encoding
    cdef int i
    while producer.consumer_count:
        plane_remove_consumer(plane, producer.consumers[producer.consumer_count - 1])
    for i in range(producer.encoding_count):
        encoding = &producer.encodings[i]
        forget_ssrc(transport, encoding.stream.ssrc)
        forget_ssrc(transport, encoding.rtx_ssrc)
        timer_cancel(plane.timers, &encoding.nack_timer)
        timer_cancel(plane.timers, &encoding.key_frame_timer)
        plane.balance.forgotten += <uint64_t>plane_take_gathered(plane, encoding)
        recv_stream_release(&encoding.stream)
        packet_cache_free(encoding.cache)
    timer_cancel(plane.timers, &producer.liveness_timer)
    timer_cancel(plane.timers, &producer.wanted.timer)
    take_out(<void **>transport.producers, &transport.producer_count, producer)
    plane.producers[producer.handle & SLOT_MASK] = NULL
    free(producer.consumers)
    free(producer.taps)
    free(producer)


cdef void plane_remove_transport(Plane *plane, Transport *transport) noexcept nogil:
    cdef int i
    while transport.consumer_count:
        plane_remove_consumer(plane, transport.consumers[transport.consumer_count - 1])
    while transport.producer_count:
        plane_remove_producer(plane, transport.producers[transport.producer_count - 1])
    if plane.outbox != NULL:
        for i in range(plane.outbox.destination_count):
            if plane.outbox.destinations[i].owner == transport:
                plane.outbox.destinations[i].owner = NULL
    for i in range(transport.ice.pair_count):
        plane_forget_address(plane, transport, &transport.ice.pairs[i].remote)
    timer_cancel(plane.timers, &transport.reports_timer)
    timer_cancel(plane.timers, &transport.twcc_timer)
    timer_cancel(plane.timers, &transport.consent_timer)
    srtp_context_free(transport.inbound)
    srtp_context_free(transport.outbound)
    ssrc_table_release(&transport.received)
    ssrc_table_release(&transport.sent)
    twcc_record_free(transport.twcc)
    ccfb_record_free(transport.ccfb)
    if transport.downlink != NULL:
        remove_downlink(plane, transport.downlink)
    plane.transports[transport.handle & SLOT_MASK] = NULL
    free(transport.producers)
    free(transport.consumers)
    free(transport)


cdef bint plane_add_pipe_end(Plane *plane, PipeEnd *end) noexcept nogil:
    timer_init(&end.timer, TIMER_PIPE, end)
    return place(plane, <void ***>&plane.pipe_ends, &plane.pipe_slots, end, &end.handle)


cdef void plane_remove_pipe_end(Plane *plane, PipeEnd *end) noexcept nogil:
    cdef uint32_t slot
    for slot in range(plane.transport_slots):
        if plane.transports[slot] != NULL and plane.transports[slot].pipe == end:
            plane_remove_transport(plane, plane.transports[slot])
    for slot in range(plane.producer_slots):
        if plane.producers[slot] != NULL:
            plane_remove_taps(plane, plane.producers[slot], end)
    timer_cancel(plane.timers, &end.timer)
    plane.pipe_ends[end.handle & SLOT_MASK] = NULL
    pipe_close_end(end)


cdef bint plane_add_tap(Producer *producer, PipeEnd *end, uint32_t far) noexcept nogil:
    # there are as many as workers, and they seldom change
    cdef size_t size = <size_t>(producer.tap_count + 1) * sizeof(PipeTap)
    cdef PipeTap *taps = <PipeTap *>realloc(producer.taps, size)
    if taps == NULL:
        return False
    producer.taps = taps
    taps[producer.tap_count].end = end
    taps[producer.tap_count].far = far
    memset(taps[producer.tap_count].wanted, LAYER_NONE, sizeof(taps[producer.tap_count].wanted))
    producer.tap_count += 1
    return True


cdef void plane_remove_taps(Plane *plane, Producer *producer, const PipeEnd *end) noexcept nogil:
    cdef int i
    cdef int kept = 0
    for i in range(producer.tap_count):
        if producer.taps[i].end != end:
            producer.taps[kept] = producer.taps[i]
            kept += 1
    if kept < producer.tap_count:
        producer.tap_count = kept
        plane_touch_wanted(plane, producer)


cdef void plane_forget_address(Plane *plane, Transport *transport, const Address *remote) noexcept nogil:
    # an authenticated check may have given the address to another transport meanwhile
    if address_table_find(&plane.addresses, remote) == transport:
        address_table_remove(&plane.addresses, remote)


cdef void take_turn_away(Plane *plane, Encoding *encoding) noexcept nogil:
    if encoding.before_due != NULL:
        encoding.before_due.next_due = encoding.next_due
    else:
        plane.first_due = encoding.next_due
    if encoding.next_due != NULL:
        encoding.next_due.before_due = encoding.before_due
    else:
        plane.last_due = encoding.before_due
    encoding.next_due = encoding.before_due = NULL
    encoding.due = False


cdef int plane_take_gathered(Plane *plane, Encoding *encoding) noexcept nogil:
    cdef int count = encoding.gathered_count
    timer_cancel(plane.timers, &encoding.gather_timer)
    if encoding.due:
        take_turn_away(plane, encoding)
    if count:
        encoding.gathered_count = 0
        plane.balance.gathered -= <uint64_t>count
        plane.gathering -= 1
    return count


cdef void remove_downlink(Plane *plane, Downlink *downlink) noexcept nogil:
    cdef uint64_t waiting = downlink.pace.media.count
    plane.balance.held -= waiting
    plane.balance.left[<int>LEFT_GONE] += waiting
    timer_cancel(plane.timers, &downlink.timer)
    timer_cancel(plane.timers, &downlink.pace_timer)
    pace_queue_release(&downlink.pace)
    free(downlink)


cdef void plane_touch_downlink(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef Downlink *downlink = transport.downlink
    if downlink == NULL:
        return
    downlink.stale = True
    if not downlink.timer.armed or downlink.timer.deadline_us > now_us + TOUCH_US:
        timer_arm(plane.timers, &downlink.timer, now_us + TOUCH_US)


cdef void plane_touch_wanted(Plane *plane, Producer *producer) noexcept nogil:
    if not producer.wanted.timer.armed or producer.wanted.timer.deadline_us > 0:
        timer_arm(plane.timers, &producer.wanted.timer, 0)


cdef void plane_forget_history(Plane *plane, Encoding *encoding) noexcept nogil:
    cdef Producer *producer = encoding.producer
    cdef int i
    plane.balance.forgotten += <uint64_t>plane_take_gathered(plane, encoding)
    if encoding.cache != NULL:
        packet_cache_clear(encoding.cache)
    for i in range(producer.consumer_count):
        if producer.consumers[i].layers.current_spatial == encoding.index:
            layers_reset(&producer.consumers[i].layers)
        if producer.consumers[i].resend_encoding == encoding.index:
            producer.consumers[i].resend_from = 0      # its numbers may begin anew


cdef void plane_restart_encoding(Plane *plane, Encoding *encoding, uint32_t ssrc) noexcept nogil:
    cdef Producer *producer = encoding.producer
    if encoding.stream.ssrc and encoding.stream.ssrc != ssrc:
        forget_ssrc(producer.transport, encoding.stream.ssrc)
        forget_ssrc(producer.transport, encoding.rtx_ssrc)
        encoding.rtx_ssrc = 0
    timer_cancel(plane.timers, &encoding.nack_timer)
    recv_stream_release(&encoding.stream)
    recv_stream_init(&encoding.stream, ssrc, producer.clock_rate, producer.nack)
    plane_forget_history(plane, encoding)
