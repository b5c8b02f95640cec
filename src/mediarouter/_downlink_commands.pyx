"""Commands about the way to one viewer (`_downlink.pxd`): whether its network is watched, and who comes first."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from mediarouter._downlink cimport downlink_begin
from mediarouter._engine cimport Engine
from mediarouter._loop cimport loop_lock, loop_time_us, loop_unlock
from mediarouter._plane cimport (
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
from mediarouter.congestion._estimator cimport send_side_budget_bps

from mediarouter.errors import InvalidStateError

cdef int64_t RATE_MAX_BPS = 1000000000


def begin(Engine engine not None, uint32_t transport_handle, int64_t start_bps, int64_t min_bps, int64_t max_bps):
    """From now on the viewer of this transport gets what its network carries, by its transport-wide feedback.

    Args:
        start_bps: what is taken for granted until the network has told, bit/s with all overhead.
        min_bps, max_bps: limits of the estimate, 1,000 to 1,000,000,000.

    Raises:
        ValueError: limits out of range or order.
        InvalidStateError: the transport is gone.
        MemoryError: no memory left.
    """
    cdef Transport *transport
    cdef bint begun = False
    if not 1000 <= min_bps <= start_bps <= max_bps <= RATE_MAX_BPS:
        raise ValueError(f"rates must be 1,000 <= min <= start <= max <= 1,000,000,000 bit/s, not "
                         f"{min_bps}, {start_bps}, {max_bps}")
    with nogil:
        loop_lock(engine.loop)
        transport = plane_transport(&engine.loop.plane, transport_handle)
        if transport != NULL:
            begun = transport.downlink != NULL or downlink_begin(&engine.loop.plane, transport, start_bps, min_bps,
                                                                 max_bps, loop_time_us(engine.loop))
        loop_unlock(engine.loop)
    if transport == NULL:
        raise InvalidStateError("transport closed")
    if not begun:
        raise MemoryError("no memory to watch a transport's network")


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


def figures(Engine engine not None, uint32_t transport_handle):
    """What is known of the viewer's network; None: it is not watched, or the transport is gone."""
    cdef Transport *transport
    cdef const Downlink *downlink = NULL
    cdef dict found = None
    loop_lock(engine.loop)
    transport = plane_transport(&engine.loop.plane, transport_handle)
    if transport != NULL and transport.downlink != NULL:
        downlink = transport.downlink
        found = {
            "target_bps": downlink.side.target_bps, "budget_bps": send_side_budget_bps(&downlink.side),
            "acked_bps": downlink.side.acked_bps, "rtt_us": downlink.side.rtt_us,
            "queue_us": downlink.side.queue.queue_us, "in_use_bps": downlink.in_use_bps,
            "probes": downlink.side.probes, "probe_packets": downlink.probe_packets,
            "allocations": downlink.allocations, "feedback_refused": downlink.side.refused,
            "feedback_malformed": downlink.side.match.malformed, "feedback_unknown": downlink.side.match.unknown,
            "delay_bps": downlink.side.delay.aimd.target_bps, "loss_bps": downlink.side.loss.target_bps,
            "loss_state": downlink.side.loss.state, "usage": downlink.side.usage, "demand_bps": downlink.demand_bps,
            "in_flight_bytes": downlink.side.history.in_flight_bytes,
        }
    loop_unlock(engine.loop)
    return found


def layers(Engine engine not None, uint32_t producer_handle):
    """What each layer of a producer costs: rows of (spatial, temporal, bit/s with all below it, utility), by encoding.

    Raises:
        InvalidStateError: the producer is gone.
    """
    cdef const Producer *producer
    cdef list rows = None
    loop_lock(engine.loop)
    producer = plane_producer(&engine.loop.plane, producer_handle)
    if producer != NULL:
        rows = [(producer.layers[i].spatial, producer.layers[i].temporal, producer.layers[i].bitrate_bps,
                 producer.layers[i].utility) for i in range(producer.layer_count)]
    loop_unlock(engine.loop)
    if rows is None:
        raise InvalidStateError("producer closed")
    return rows
