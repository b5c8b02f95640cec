"""What one viewer gets; `_downlink.pxd` shows how it hangs together.

Theory of operation
The estimator says what the network carries. That budget is shared out whenever it has changed by a percent or more, or
who wants what has, and at least every half second, since rates and waiting times change too. Each video consumer is
told the highest layers it may have (`_layers`), audio is always sent. What the allocator could use next is what the
estimator probes for.

A probe is packets sent at a rate that is higher than what is used: first media itself, which counts as it leaves, and
what of it waits for its turn (`_pace_queue`), then recent packets once more by RTX, which at least repair what was
lost, then padding on an RTX stream.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, realloc
from mediarouter._cache cimport CachedPacket, packet_cache_find
from mediarouter._egress cimport egress_ready, egress_send
from mediarouter._forward cimport consumer_aim, forward_cached, forward_padding
from mediarouter._layers cimport LAYER_BEST, LAYER_NONE
from mediarouter._pace cimport pace_send, pace_set_target
from mediarouter._pace_queue cimport pace_queue_init, pace_queue_sent
from mediarouter._plane cimport (
    PACKET_OVERHEAD,
    TIMER_DOWNLINK,
    TIMER_PACE,
    Consumer,
    Downlink,
    Encoding,
    Plane,
    Producer,
    Transport,
    plane_feedback_stream,
    plane_touch_downlink,
)
from mediarouter._rtcp cimport RtcpView
from mediarouter._send_stream cimport SendRun, send_stream_trace
from mediarouter._timers cimport timer_arm, timer_cancel, timer_earlier, timer_init
from mediarouter.congestion._alloc_stream cimport ALLOC_NO_LAYER, AllocStream, allocation_applied
from mediarouter.congestion._allocator cimport AllocResult, AllocRow, allocate_within
from mediarouter.congestion._estimator cimport (
    SendSide,
    send_side_budget_bps,
    send_side_deadline_us,
    send_side_init,
    send_side_poll,
    send_side_poll_probe,
    send_side_report,
    send_side_report_ccfb,
    send_side_set_demand,
    send_side_set_receiver_limit,
    send_side_shown_bps,
    send_side_update,
)
from mediarouter.congestion._probe_controller cimport ProbeCluster
from mediarouter.congestion._prober cimport prober_begin, prober_bytes_due, prober_init, prober_next_us

cdef enum:
    ALLOCATE_US = 500000           # rates and waiting times change meanwhile
    STEP_US = 1000                 # between two looks at a probe
    BUDGET_STEP = 100              # a change of one part in so many is one
    RECENT = 64                    # packets that a probe may send again
    PROBE_PACKETS = 32             # at once
    PADDING_PACKETS = 128


cdef bint downlink_begin(Plane *plane, Transport *transport, int64_t start_bps, int64_t min_bps, int64_t max_bps,
                         bint by_stream, int64_t now_us) noexcept nogil:
    cdef Downlink *downlink = <Downlink *>calloc(1, sizeof(Downlink))
    if downlink == NULL:
        return False
    send_side_init(&downlink.side, start_bps, min_bps, max_bps, now_us)
    prober_init(&downlink.prober)
    pace_queue_init(&downlink.pace)
    timer_init(&downlink.timer, TIMER_DOWNLINK, transport)
    timer_init(&downlink.pace_timer, TIMER_PACE, transport)
    downlink.by_stream = by_stream
    transport.downlink = downlink
    pace_set_target(transport)
    plane_touch_downlink(plane, transport, now_us)
    return True


cdef int downlink_report(Transport *transport, const RtcpView *view, int64_t now_us) noexcept nogil:
    cdef SendSide *side = &transport.downlink.side
    cdef int count
    if transport.downlink.by_stream:
        count = send_side_report_ccfb(side, plane_feedback_stream, &transport.sent, view.data, view.size, now_us)
    else:
        count = send_side_report(side, view.data, view.size, now_us)
    transport.twcc_received = side.match.received
    transport.twcc_lost = side.match.lost
    return count


cdef void downlink_limit(Transport *transport, int64_t bps, int64_t now_us) noexcept nogil:
    send_side_set_receiver_limit(&transport.downlink.side, bps, now_us)


cdef void downlink_update(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    if send_side_update(&transport.downlink.side, now_us):
        share_out_if_changed(plane, transport, now_us)
    pace_set_target(transport)
    send_probes(plane, transport, now_us)
    schedule(plane, transport, now_us)


cdef void downlink_timer(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef Downlink *downlink = transport.downlink
    send_side_poll(&downlink.side, now_us)
    if downlink.stale or now_us - downlink.allocated_us >= ALLOCATE_US:
        share_out(plane, transport, now_us)
    else:
        share_out_if_changed(plane, transport, now_us)
    pace_set_target(transport)
    send_probes(plane, transport, now_us)
    schedule(plane, transport, now_us)


cdef void schedule(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef Downlink *downlink = transport.downlink
    cdef int64_t due_us = -1
    if egress_ready(transport) and transport.consumer_count:
        due_us = timer_earlier(downlink.allocated_us + ALLOCATE_US, send_side_deadline_us(&downlink.side, now_us))
        due_us = timer_earlier(due_us, prober_next_us(&downlink.prober))
    if due_us < 0:
        timer_cancel(plane.timers, &downlink.timer)
    else:
        timer_arm(plane.timers, &downlink.timer, max(due_us, now_us + STEP_US))


# ---- who gets what

cdef void share_out_if_changed(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef Downlink *downlink = transport.downlink
    cdef int64_t change_bps = send_side_budget_bps(&downlink.side) - downlink.allocated_bps
    if (change_bps if change_bps > 0 else -change_bps) > downlink.allocated_bps // BUDGET_STEP:
        share_out(plane, transport, now_us)


cdef bint make_room(Plane *plane, int count) noexcept nogil:
    cdef int capacity = max(plane.alloc_capacity, 64)
    if count <= plane.alloc_capacity:
        return True
    while capacity < count:
        capacity *= 2
    cdef AllocStream *streams = <AllocStream *>realloc(plane.alloc_streams, capacity * sizeof(AllocStream))
    if streams == NULL:
        return False
    plane.alloc_streams = streams
    cdef AllocRow *rows = <AllocRow *>realloc(plane.alloc_rows, capacity * sizeof(AllocRow))
    if rows == NULL:
        return False
    plane.alloc_rows = rows
    cdef int32_t *places = <int32_t *>realloc(plane.alloc_places, 2 * capacity * sizeof(int32_t))
    if places == NULL:
        return False
    plane.alloc_places = places
    plane.alloc_capacity = capacity
    return True


cdef void share_out(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef Downlink *downlink = transport.downlink
    cdef int count = transport.consumer_count
    cdef AllocResult result
    cdef bint shown, fits
    cdef int i
    downlink.allocated_us = now_us
    downlink.stale = False
    if not make_room(plane, count):
        return                     # things stay as they are
    downlink.allocated_bps = send_side_budget_bps(&downlink.side)
    downlink.allocations += 1
    shown = send_side_shown_bps(&downlink.side, now_us) >= downlink.allocated_bps
    fits = downlink.in_use_bps <= downlink.side.target_bps
    for i in range(count):
        describe(transport.consumers[i], shown, fits)
        plane.alloc_streams[i] = transport.consumers[i].allocation
    allocate_within(now_us, downlink.allocated_bps, plane.alloc_streams, count, &result, plane.alloc_rows,
                    plane.alloc_places)
    allocation_applied(now_us, plane.alloc_streams, count)
    for i in range(count):
        transport.consumers[i].allocation = plane.alloc_streams[i]
        allow(plane, transport.consumers[i], now_us)
    downlink.in_use_bps = result.total_bps
    downlink.demand_bps = result.demand_bps
    send_side_set_demand(&downlink.side, result.demand_bps, result.total_bps, now_us)


cdef void describe(Consumer *consumer, bint shown, bint fits) noexcept nogil:
    # what the viewer wants of this one, and what it costs
    cdef AllocStream *stream = &consumer.allocation
    stream.layers = consumer.producer.layers
    stream.layer_count = consumer.producer.layer_count
    stream.muted = consumer.paused or consumer.producer.paused
    # audio is always sent; video that has no smaller layer is not paused for the moment that a queue takes to empty
    stream.must_send = not consumer.producer.is_video or (
        fits and stream.layer_count == 1 and stream.current_spatial >= 0)
    # a wish that has just changed is met at once where there is room: waiting is for what the network does
    stream.proven = (shown or stream.wish.max_spatial != consumer.layers.preferred_spatial
                     or stream.wish.max_temporal != consumer.layers.preferred_temporal)
    stream.wish.max_spatial = consumer.layers.preferred_spatial
    stream.wish.max_temporal = consumer.layers.preferred_temporal


cdef void allow(Plane *plane, Consumer *consumer, int64_t now_us) noexcept nogil:
    cdef AllocStream *stream = &consumer.allocation
    cdef int8_t spatial = stream.target_spatial
    cdef int8_t temporal = stream.target_temporal
    if not consumer.producer.is_video or stream.muted or stream.reason == ALLOC_NO_LAYER:
        spatial = temporal = LAYER_BEST                # what begins to flow is told by the next sharing out
    elif spatial == LAYER_NONE:
        temporal = LAYER_NONE
    elif is_top(consumer.producer, spatial, temporal):
        temporal = LAYER_BEST
    if spatial == consumer.layers.allowed_spatial and temporal == consumer.layers.allowed_temporal:
        return
    consumer.layers.allowed_spatial = spatial
    consumer.layers.allowed_temporal = temporal
    consumer_aim(plane, consumer, now_us)


cdef bint is_top(const Producer *producer, int8_t spatial, int8_t temporal) noexcept nogil:
    cdef int i
    for i in range(producer.layer_count):
        if producer.layers[i].spatial == spatial and producer.layers[i].temporal > temporal:
            return False
    return True


# ---- probes

cdef void send_probes(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef Downlink *downlink = transport.downlink
    cdef ProbeCluster cluster
    cdef int due_bytes
    if not egress_ready(transport):
        return
    while send_side_poll_probe(&downlink.side, now_us, &cluster):
        prober_begin(&downlink.prober, &cluster)
    due_bytes = prober_bytes_due(&downlink.prober, now_us)
    if due_bytes <= 0:
        return
    due_bytes -= pace_send(plane, transport, due_bytes, now_us)
    if due_bytes > 0:
        fill(plane, transport, due_bytes, now_us)


cdef void fill(Plane *plane, Transport *transport, int bytes, int64_t now_us) noexcept nogil:
    cdef Downlink *downlink = transport.downlink
    cdef uint64_t before = downlink.probe_packets
    bytes = send_again(plane, transport, bytes, now_us)
    if bytes > 0:
        send_padding(plane, transport, bytes, now_us)
    egress_send(plane, transport)
    if downlink.probe_packets == before:
        prober_init(&downlink.prober)                  # nothing can be sent: given up, or it would be due for ever


cdef int send_again(Plane *plane, Transport *transport, int bytes, int64_t now_us) noexcept nogil:
    # one video consumer after the other, the newest packets of each first; the bytes that are left
    cdef Consumer *consumer
    cdef int packets = 0
    cdef int i, back, size
    for i in range(transport.consumer_count):
        consumer = transport.consumers[i]
        if consumer.rtx_ssrc == 0 or not consumer.producer.is_video or not consumer.stream.started or consumer.paused:
            continue
        for back in range(RECENT):
            if bytes <= 0 or packets == PROBE_PACKETS:
                return bytes
            size = send_one_again(plane, consumer, back, now_us)
            note_probe(transport, size, now_us)
            bytes -= size
            packets += size > 0
    return bytes


cdef void send_padding(Plane *plane, Transport *transport, int bytes, int64_t now_us) noexcept nogil:
    # on the first RTX stream there is, of a paused consumer too
    cdef int packets = 0
    cdef int i, size
    for i in range(transport.consumer_count):
        while bytes > 0 and packets < PADDING_PACKETS:
            size = forward_padding(plane, transport.consumers[i], now_us)
            if size == 0:
                break
            note_probe(transport, size, now_us)
            bytes -= size
            packets += 1


cdef inline void note_probe(Transport *transport, int size, int64_t now_us) noexcept nogil:
    if size:
        transport.downlink.probe_packets += 1
        pace_queue_sent(&transport.downlink.pace, size, now_us)


cdef int send_one_again(Plane *plane, Consumer *consumer, int back, int64_t now_us) noexcept nogil:
    # bytes; 0: it is not there any more
    cdef int64_t source_seq
    cdef const CachedPacket *packet
    cdef const Encoding *encoding
    cdef const SendRun *run = send_stream_trace(&consumer.stream, <uint16_t>(consumer.stream.newest_seq - back),
                                                &source_seq)
    if run == NULL:
        return 0
    encoding = &consumer.producer.encodings[run.encoding]
    packet = packet_cache_find(encoding.cache, source_seq, now_us)
    if packet == NULL or not forward_cached(plane, consumer, run, packet, True, True, now_us):
        return 0
    return packet.size + PACKET_OVERHEAD
