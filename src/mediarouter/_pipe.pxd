# A pipe between two data planes of one process: a ring each way, two ends, and a way to wake who sleeps at the other.
#
# Theory of operation
# An end belongs to one plane and is touched under that plane's mutex only; the two planes share the `Pipe` and
# nothing else. What one wants of the other is named by handles, which find nothing once the row is gone. Each open
# end holds one reference to the pipe, so that its memory and its descriptors outlive whoever closes first; the last
# to close frees them. The descriptors are duplicates: they stay good when the engine that they wake is gone.
# A side is woken once however much is written before it looks: the first to set `told` writes to its descriptor, and
# the side clears `told` before it looks. Both are read-modify-write operations on one word, so whoever finds it set
# can be sure that the clearing still to come will see all that was published before.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from mediarouter._ring cimport Ring
from mediarouter._timers cimport Timer

cdef enum:
    PIPE_RING_BYTES = 4194304      # each way: 33 ms of 1 Gbit/s. What does not fit is dropped and counted
    PIPE_RING_LEAST = 16384

cdef struct Pipe:
    Ring rings[2]                  # by the side that writes
    uint32_t references            # atomic: open ends
    uint32_t closed[2]             # atomic
    uint32_t told[2]               # atomic: the side was woken and has not looked since
    int wake_fds[2]

cdef struct PipeEnd:
    Pipe *pipe
    int side
    uint32_t handle                # in its plane
    Timer timer                    # runs while what was written may wait for more of its frame
    bint written                   # something is not published yet
    bint hurried                   # and shall be at the end of this batch
    uint64_t packets_sent
    uint64_t packets_refused       # the ring was full
    uint64_t packets_received
    uint64_t wakes                 # times that the other side was woken

# Two ends of a new pipe. `wake_fds`: eventfds that wake side 0 and side 1. False: no memory, no descriptors, or a size
# that is no power of two.
cdef bint pipe_new(uint64_t ring_bytes, const int *wake_fds, PipeEnd **ends) noexcept nogil
cdef void pipe_close_end(PipeEnd *end) noexcept nogil
# Room for a record, as ring_reserve; NULL too when the other end is closed
cdef uint8_t *pipe_reserve(PipeEnd *end, uint32_t size, uint32_t spare) noexcept nogil
cdef void pipe_commit(PipeEnd *end, uint32_t size) noexcept nogil
# Publish what was written since the last time, and wake the other side if it has not been
cdef void pipe_flush(PipeEnd *end) noexcept nogil
# From here on, what is published wakes this side again. To be called before it looks.
cdef void pipe_listen(PipeEnd *end) noexcept nogil
cdef uint8_t *pipe_peek(PipeEnd *end, uint32_t *size) noexcept nogil
cdef void pipe_drop(PipeEnd *end) noexcept nogil
cdef bint pipe_is_closed(const PipeEnd *end) noexcept nogil        # at the other end
