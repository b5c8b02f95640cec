"""Commands about what publishers shall send: which layers are wanted (`_wanted.pxd`), and limits
(`_uplink_limit.pxd`)."""

from libc.stdint cimport int8_t, int64_t, uint32_t
from libc.string cimport memcpy
from mediarouter._engine cimport Engine
from mediarouter._loop cimport loop_lock, loop_unlock
from mediarouter._plane cimport ENCODINGS_MAX, Producer, Transport, plane_producer, plane_transport
from mediarouter._uplink_limit cimport uplink_limit_renew

from mediarouter.errors import InvalidStateError

MIN_INCOMING_BPS = 1_000
MAX_INCOMING_BPS = 1_000_000_000


def wanted_layers(Engine engine not None, uint32_t producer_handle):
    """What the publisher was last told: by encoding its highest temporal layer that is wanted, 127 all, -1 not at all.

    Raises:
        InvalidStateError: the producer is gone.
    """
    cdef int8_t told[ENCODINGS_MAX]
    cdef const Producer *producer
    cdef int count = -1
    cdef int i
    with nogil:
        loop_lock(engine.loop)
        producer = plane_producer(&engine.loop.plane, producer_handle)
        if producer != NULL:
            count = producer.encoding_count
            memcpy(told, producer.wanted.told, sizeof(told))
        loop_unlock(engine.loop)
    if count < 0:
        raise InvalidStateError("producer closed")
    return [told[i] for i in range(count)]


def set_limited_by(Engine engine not None, uint32_t producer_handle, bint remb, bint tmmbr):
    """Which messages about limits the producer's codec has negotiated.

    Raises:
        InvalidStateError: the producer is gone.
    """
    cdef Producer *producer
    with nogil:
        loop_lock(engine.loop)
        producer = plane_producer(&engine.loop.plane, producer_handle)
        if producer != NULL:
            producer.takes_remb = remb
            producer.takes_tmmbr = tmmbr
        loop_unlock(engine.loop)
    if producer == NULL:
        raise InvalidStateError("producer closed")


def set_max_incoming_bitrate(Engine engine not None, uint32_t transport_handle, int64_t bps, bint wanted_only):
    """How much the client of this transport may send, told at once and then each second.

    Args:
        bps: of all its producers together, 1,000 to 1,000,000,000 bit/s; 0: no limit.
        wanted_only: nor more than what the wanted layers cost, where some are not.

    Raises:
        ValueError: out of range.
        InvalidStateError: the transport is gone.
    """
    cdef Transport *transport
    if bps != 0 and not MIN_INCOMING_BPS <= bps <= MAX_INCOMING_BPS:
        raise ValueError(f"a limit must be {MIN_INCOMING_BPS:,} to {MAX_INCOMING_BPS:,} bit/s, not {bps:,}")
    with nogil:
        loop_lock(engine.loop)
        transport = plane_transport(&engine.loop.plane, transport_handle)
        if transport != NULL:
            transport.incoming.service_bps = bps
            transport.incoming.wanted_only = wanted_only
            uplink_limit_renew(&engine.loop.plane, transport)
        loop_unlock(engine.loop)
    if transport == NULL:
        raise InvalidStateError("transport closed")
