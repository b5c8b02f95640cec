"""The command that gives a publisher the feedback of RFC 8888."""

from libc.stdint cimport uint32_t
from mediarouter._engine cimport Engine
from mediarouter._loop cimport loop_lock, loop_unlock
from mediarouter._plane cimport Transport, plane_transport
from mediarouter.congestion._ccfb cimport ccfb_record_new

from mediarouter.errors import InvalidStateError


def begin_reports(Engine engine not None, uint32_t transport_handle):
    """From now on the peer of this transport is told by RFC 8888 which of its packets arrived, and when.

    Once is enough, twice is no error.

    Raises:
        InvalidStateError: the transport is gone.
        MemoryError: no memory left.
    """
    cdef Transport *transport
    cdef bint begun = False
    with nogil:
        loop_lock(engine.loop)
        transport = plane_transport(&engine.loop.plane, transport_handle)
        if transport != NULL:
            if transport.ccfb == NULL:
                transport.ccfb = ccfb_record_new()
            begun = transport.ccfb != NULL
        loop_unlock(engine.loop)
    if transport == NULL:
        raise InvalidStateError("transport closed")
    if not begun:
        raise MemoryError("no memory to record what arrives")
