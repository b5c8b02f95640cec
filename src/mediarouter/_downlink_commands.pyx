"""Commands about the way to one viewer (`_downlink.pxd`): whether its network is watched, and who comes first."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from mediarouter._downlink cimport downlink_begin
from mediarouter._engine cimport Engine
from mediarouter._loop cimport loop_lock, loop_time_us, loop_unlock
from mediarouter._pace_queue cimport pace_queue_wait_us
from mediarouter._plane cimport (
    LAYERS_MAX,
    Consumer,
    Downlink,
    Producer,
    Transport,
    plane_consumer,
    plane_producer,
    plane_touch_downlink,
    plane_transport,
)
from mediarouter.congestion._alloc_stream cimport ALLOC_GRID, ALLOC_WEIGHT_MAX
from mediarouter.congestion._estimator cimport check_limits, send_side_budget_bps, send_side_set_limits
from mediarouter.congestion._layer_hull cimport AllocLayer

from mediarouter.errors import InvalidStateError

LOSS_STATES = ("none", "increasing", "decreasing", "increasing with padding")  # what loss does to the estimate
USAGES = ("normal", "over", "under")  # of the link, by its delay


def begin(Engine engine not None, uint32_t transport_handle, int64_t start_bps, int64_t min_bps, int64_t max_bps, *,
          bint by_stream=False):
    """From now on the viewer of this transport gets what its network carries, by its feedback.

    Args:
        start_bps: what is taken for granted until the network has told, bit/s with all overhead.
        min_bps, max_bps: limits of the estimate, 1,000 to 1,000,000,000.
        by_stream: the feedback is that of RFC 8888, and not transport-wide. What was begun stays as it was.

    Raises:
        ValueError: limits out of range or order.
        InvalidStateError: the transport is gone.
        MemoryError: no memory left.
    """
    cdef Transport *transport
    cdef bint begun = False
    check_limits(start_bps, min_bps, max_bps)
    with nogil:
        loop_lock(engine.loop)
        transport = plane_transport(&engine.loop.plane, transport_handle)
        if transport != NULL:
            begun = transport.downlink != NULL or downlink_begin(&engine.loop.plane, transport, start_bps, min_bps,
                                                                 max_bps, by_stream, loop_time_us(engine.loop))
        loop_unlock(engine.loop)
    if transport == NULL:
        raise InvalidStateError("transport closed")
    if not begun:
        raise MemoryError("no memory to watch a transport's network")


def set_limits(Engine engine not None, uint32_t transport_handle, int64_t min_bps, int64_t max_bps):
    """Other limits of the estimate, as for `begin`. True: its network is watched; False: it is not, or not yet.

    Raises:
        ValueError: limits out of range or order.
        InvalidStateError: the transport is gone.
    """
    cdef Transport *transport
    cdef bint watched = False
    check_limits(min_bps, min_bps, max_bps)
    with nogil:
        loop_lock(engine.loop)
        transport = plane_transport(&engine.loop.plane, transport_handle)
        if transport != NULL and transport.downlink != NULL:
            watched = True
            send_side_set_limits(&transport.downlink.side, min_bps, max_bps, loop_time_us(engine.loop))
            plane_touch_downlink(&engine.loop.plane, transport, loop_time_us(engine.loop))
        loop_unlock(engine.loop)
    if transport == NULL:
        raise InvalidStateError("transport closed")
    return watched


def set_importance(Engine engine not None, uint32_t consumer_handle, int stream_class, int weight):
    """Who comes first where the network does not carry all.

    Args:
        stream_class: 0 audio, 1 screen, 2 pinned, 3 speaker, 4 grid: strict.
        weight: inside its class, 1..1000.

    Raises:
        ValueError: out of range.
        InvalidStateError: the consumer is gone.
    """
    cdef Consumer *consumer
    if stream_class < 0 or stream_class > <int>ALLOC_GRID:
        raise ValueError(f"class {stream_class} is not in 0..4")
    if weight < 1 or weight > <int>ALLOC_WEIGHT_MAX:
        raise ValueError(f"weight {weight} is not in 1..1000")
    with nogil:
        loop_lock(engine.loop)
        consumer = plane_consumer(&engine.loop.plane, consumer_handle)
        if consumer != NULL:
            consumer.allocation.stream_class = <uint8_t>stream_class
            consumer.allocation.weight = <uint16_t>weight
            plane_touch_downlink(&engine.loop.plane, consumer.transport, loop_time_us(engine.loop))
        loop_unlock(engine.loop)
    if consumer == NULL:
        raise InvalidStateError("consumer closed")


cdef struct Figures:                # of a downlink, copied while the engine stands still
    int64_t target_bps
    int64_t budget_bps
    int64_t in_use_bps
    int64_t demand_bps
    int64_t acked_bps
    int64_t delay_bps
    int64_t loss_bps
    int64_t rtt_us
    int64_t queue_us
    int64_t in_flight_bytes
    uint64_t probes
    uint64_t probe_packets
    uint64_t allocations
    int64_t pacing_bps
    int64_t pace_wait_us
    int64_t pace_longest_us
    uint64_t paced
    uint64_t feedback_refused
    uint64_t feedback_malformed
    uint64_t feedback_unknown
    uint64_t feedback_unknown_streams
    uint64_t congestion_marks       # packets that arrived so marked (ECN)


cdef void take_figures(const Downlink *downlink, Figures *found, int64_t now_us) noexcept nogil:
    found.target_bps = downlink.side.target_bps
    found.budget_bps = send_side_budget_bps(&downlink.side)
    found.in_use_bps = downlink.in_use_bps
    found.demand_bps = downlink.demand_bps
    found.acked_bps = downlink.side.acked_bps
    found.delay_bps = downlink.side.delay.aimd.target_bps
    found.loss_bps = downlink.side.loss.target_bps
    found.rtt_us = downlink.side.rtt_us
    found.queue_us = downlink.side.queue.queue_us
    found.in_flight_bytes = downlink.side.history.in_flight_bytes
    found.probes = downlink.side.probes
    found.probe_packets = downlink.probe_packets
    found.allocations = downlink.allocations
    found.pacing_bps = downlink.pace.pacer.rate_bps
    found.pace_wait_us = pace_queue_wait_us(&downlink.pace, now_us)
    found.pace_longest_us = downlink.pace.longest_us
    found.paced = downlink.pace.held
    found.feedback_refused = downlink.side.refused
    found.feedback_malformed = downlink.side.match.malformed
    found.feedback_unknown = downlink.side.match.unknown
    found.feedback_unknown_streams = downlink.side.match.unknown_streams
    found.congestion_marks = downlink.side.match.ecn[3]


def figures(Engine engine not None, uint32_t transport_handle):
    """What is known of the viewer's network; None: it is not watched, or the transport is gone. Rates and times that
    are not known yet are -1; `feedback` is the form that was agreed."""
    cdef Transport *transport
    cdef Figures found
    cdef int loss_state = 0
    cdef int usage = 0
    cdef bint watched = False
    cdef bint by_stream = False
    with nogil:
        loop_lock(engine.loop)
        transport = plane_transport(&engine.loop.plane, transport_handle)
        watched = transport != NULL and transport.downlink != NULL
        if watched:
            take_figures(transport.downlink, &found, loop_time_us(engine.loop))
            loss_state = transport.downlink.side.loss.state
            usage = transport.downlink.side.usage
            by_stream = transport.downlink.by_stream
        loop_unlock(engine.loop)
    if not watched:
        return None
    return dict(found, loss_state=LOSS_STATES[loss_state], usage=USAGES[usage],
                feedback="ack ccfb" if by_stream else "transport-cc")


def layers(Engine engine not None, uint32_t producer_handle):
    """What each layer of a producer costs: rows of (spatial, temporal, bit/s with all below it, utility), by encoding.

    Raises:
        InvalidStateError: the producer is gone.
    """
    cdef AllocLayer rows[LAYERS_MAX]
    cdef const Producer *producer
    cdef int count = -1
    with nogil:
        loop_lock(engine.loop)
        producer = plane_producer(&engine.loop.plane, producer_handle)
        if producer != NULL:
            count = producer.layer_count
            memcpy(rows, producer.layers, sizeof(rows))
        loop_unlock(engine.loop)
    if count < 0:
        raise InvalidStateError("producer closed")
    return [(rows[i].spatial, rows[i].temporal, rows[i].bitrate_bps, rows[i].utility) for i in range(count)]
