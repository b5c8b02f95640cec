"""Commands that join two engines by a pipe (`_pipe.pxd`), and their producers to copies.

Each takes the mutex of one engine at a time, so that two that are joined both ways cannot lock each other out.
"""

from libc.stdint cimport uint32_t, uint64_t
from mediarouter._engine cimport Engine
from mediarouter._loop cimport loop_lock, loop_unlock
from mediarouter._pipe cimport PIPE_RING_BYTES, PipeEnd, pipe_close_end, pipe_new
from mediarouter._pipe_out cimport pipe_tell_all
from mediarouter._plane cimport (
    Producer,
    Transport,
    plane_add_pipe_end,
    plane_add_tap,
    plane_pipe_end,
    plane_producer,
    plane_remove_pipe_end,
    plane_remove_taps,
    plane_touch_wanted,
    plane_transport,
)

from mediarouter.errors import InvalidStateError

RING_BYTES = <int>PIPE_RING_BYTES


def connect(Engine near not None, Engine far not None, uint64_t ring_bytes=PIPE_RING_BYTES):
    """Lay a pipe between two engines, which may be one and the same; the handles of its ends.

    Args:
        ring_bytes: of each direction, a power of two from 16 KiB; what does not fit is dropped and counted.

    Raises:
        MemoryError: no memory or file descriptors left, or no such size.
    """
    cdef PipeEnd *ends[2]
    cdef int fds[2]
    cdef uint32_t near_handle = 0
    cdef uint32_t far_handle = 0
    fds[0] = near.loop.wake_fd
    fds[1] = far.loop.wake_fd
    if not pipe_new(ring_bytes, fds, ends):
        raise MemoryError(f"a pipe needs memory, two file descriptors and a ring of a power of two, not {ring_bytes}")
    near_handle = adopt(near, ends[0])
    far_handle = adopt(far, ends[1])
    if near_handle == 0 or far_handle == 0:
        close(near, near_handle)
        close(far, far_handle)
        raise MemoryError("no memory for the ends of a pipe")
    return near_handle, far_handle


cdef uint32_t adopt(Engine engine, PipeEnd *end) except? 0:
    cdef uint32_t handle = 0
    with nogil:
        loop_lock(engine.loop)
        if plane_add_pipe_end(&engine.loop.plane, end):
            handle = end.handle
        else:
            pipe_close_end(end)
        loop_unlock(engine.loop)
    return handle


def close(Engine engine not None, uint32_t end_handle):
    """Close an end, the transports that it serves and the taps into it; a handle out of date is no error. The other
    end goes on to nowhere until it is closed too."""
    cdef PipeEnd *end
    with nogil:
        loop_lock(engine.loop)
        end = plane_pipe_end(&engine.loop.plane, end_handle)
        if end != NULL:
            plane_remove_pipe_end(&engine.loop.plane, end)
        loop_unlock(engine.loop)


def serve_transport(Engine engine not None, uint32_t transport_handle, uint32_t end_handle):
    """Make a fresh transport one whose producers come by a pipe.

    Raises:
        InvalidStateError: the transport or the end is closed.
    """
    cdef Transport *transport
    cdef PipeEnd *end
    with nogil:
        loop_lock(engine.loop)
        transport = plane_transport(&engine.loop.plane, transport_handle)
        end = plane_pipe_end(&engine.loop.plane, end_handle)
        if transport != NULL and end != NULL:
            transport.pipe = end
        loop_unlock(engine.loop)
    if transport == NULL or end == NULL:
        raise InvalidStateError("transport closed" if transport == NULL else "pipe closed")


def set_origin(Engine engine not None, uint32_t producer_handle, uint32_t origin):
    """Tell a copy the handle of its original, in the engine at the other end.

    Raises:
        InvalidStateError: the producer is closed.
    """
    cdef Producer *producer
    with nogil:
        loop_lock(engine.loop)
        producer = plane_producer(&engine.loop.plane, producer_handle)
        if producer != NULL:
            producer.origin = origin
            plane_touch_wanted(&engine.loop.plane, producer)
        loop_unlock(engine.loop)
    if producer == NULL:
        raise InvalidStateError("producer closed")


def add_tap(Engine engine not None, uint32_t producer_handle, uint32_t end_handle, uint32_t copy):
    """Pass what a producer takes in on to its copy, a producer of the engine at the other end.

    Raises:
        InvalidStateError: the producer or the end is closed.
        MemoryError: no memory.
    """
    cdef Producer *producer
    cdef PipeEnd *end
    cdef bint added = False
    with nogil:
        loop_lock(engine.loop)
        producer = plane_producer(&engine.loop.plane, producer_handle)
        end = plane_pipe_end(&engine.loop.plane, end_handle)
        if producer != NULL and end != NULL:
            plane_remove_taps(&engine.loop.plane, producer, end)
            added = plane_add_tap(producer, end, copy)
            if added:
                pipe_tell_all(&engine.loop.plane, producer, &producer.taps[producer.tap_count - 1])
        loop_unlock(engine.loop)
    if producer == NULL or end == NULL:
        raise InvalidStateError("producer closed" if producer == NULL else "pipe closed")
    if not added:
        raise MemoryError("no memory for a tap")


def remove_tap(Engine engine not None, uint32_t producer_handle, uint32_t end_handle):
    """Pass nothing of this producer into this pipe any more; handles out of date are no error."""
    cdef Producer *producer
    cdef PipeEnd *end
    with nogil:
        loop_lock(engine.loop)
        producer = plane_producer(&engine.loop.plane, producer_handle)
        end = plane_pipe_end(&engine.loop.plane, end_handle)
        if producer != NULL and end != NULL:
            plane_remove_taps(&engine.loop.plane, producer, end)
        loop_unlock(engine.loop)


def figures(Engine engine not None, uint32_t end_handle):
    """Counts of one end since it was laid, by name.

    Raises:
        InvalidStateError: the end is closed.
    """
    cdef PipeEnd row
    cdef PipeEnd *end
    row.handle = 0
    with nogil:
        loop_lock(engine.loop)
        end = plane_pipe_end(&engine.loop.plane, end_handle)
        if end != NULL:
            row = end[0]
        loop_unlock(engine.loop)
    if end == NULL:
        raise InvalidStateError("pipe closed")
    return {
        "packets_sent": row.packets_sent, "packets_refused": row.packets_refused,
        "packets_received": row.packets_received, "wakes": row.wakes,
    }
