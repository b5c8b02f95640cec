"""Pipes between data planes: rings, ends, lifetime; `_pipe.pxd` tells how they work."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from mediarouter._ring cimport (
    ring_commit,
    ring_drop,
    ring_init,
    ring_peek,
    ring_publish,
    ring_release,
    ring_reserve,
)

cdef extern from "stdlib.h" nogil:
    void *aligned_alloc(size_t alignment, size_t size)

cdef extern from "<fcntl.h>" nogil:
    int fcntl(int fd, int command, int least)
    int F_DUPFD_CLOEXEC

cdef extern from "<unistd.h>" nogil:
    ssize_t write(int fd, const void *data, size_t size)
    int close(int fd)

cdef extern from *:
    uint32_t atomic_load "__atomic_load_n" (const uint32_t *value, int order) noexcept nogil
    void atomic_store "__atomic_store_n" (uint32_t *value, uint32_t wanted, int order) noexcept nogil
    uint32_t atomic_exchange "__atomic_exchange_n" (uint32_t *value, uint32_t wanted, int order) noexcept nogil
    uint32_t atomic_subtract "__atomic_sub_fetch" (uint32_t *value, uint32_t by, int order) noexcept nogil
    int __ATOMIC_ACQUIRE, __ATOMIC_RELEASE, __ATOMIC_ACQ_REL

cdef enum:
    APART = 128                    # two cache lines: processors fetch them in pairs


cdef bint pipe_new(uint64_t ring_bytes, const int *wake_fds, PipeEnd **ends) noexcept nogil:
    cdef Pipe *pipe = <Pipe *>aligned_alloc(APART, (sizeof(Pipe) + APART - 1) & ~<size_t>(APART - 1))
    cdef bint complete = pipe != NULL and ring_bytes >= PIPE_RING_LEAST
    cdef int side
    ends[0] = <PipeEnd *>calloc(1, sizeof(PipeEnd))
    ends[1] = <PipeEnd *>calloc(1, sizeof(PipeEnd))
    if pipe != NULL:
        memset(pipe, 0, sizeof(Pipe))
        for side in range(2):
            pipe.wake_fds[side] = fcntl(wake_fds[side], F_DUPFD_CLOEXEC, 0)
            complete = complete and pipe.wake_fds[side] >= 0 and ends[side] != NULL
            complete = complete and ring_init(&pipe.rings[side], ring_bytes)
    if not complete:
        free(ends[0])
        free(ends[1])
        free_pipe(pipe)
        return False
    pipe.references = 2
    for side in range(2):
        ends[side].pipe = pipe
        ends[side].side = side
    return True


cdef void free_pipe(Pipe *pipe) noexcept nogil:
    cdef int side
    if pipe == NULL:
        return
    for side in range(2):
        ring_release(&pipe.rings[side])
        if pipe.wake_fds[side] >= 0:
            close(pipe.wake_fds[side])
    free(pipe)


cdef void pipe_close_end(PipeEnd *end) noexcept nogil:
    cdef Pipe *pipe = end.pipe
    atomic_store(&pipe.closed[end.side], 1, __ATOMIC_RELEASE)
    free(end)
    if atomic_subtract(&pipe.references, 1, __ATOMIC_ACQ_REL) == 0:
        free_pipe(pipe)


cdef bint pipe_is_closed(const PipeEnd *end) noexcept nogil:
    return atomic_load(&end.pipe.closed[1 - end.side], __ATOMIC_ACQUIRE) != 0


cdef uint8_t *pipe_reserve(PipeEnd *end, uint32_t size, uint32_t spare) noexcept nogil:
    return NULL if pipe_is_closed(end) else ring_reserve(&end.pipe.rings[end.side], size, spare)


cdef void pipe_commit(PipeEnd *end, uint32_t size) noexcept nogil:
    ring_commit(&end.pipe.rings[end.side], size)
    end.written = True


cdef void pipe_flush(PipeEnd *end) noexcept nogil:
    cdef Pipe *pipe = end.pipe
    cdef uint64_t one = 1
    if not end.written:
        return
    end.written = False
    end.hurried = False
    ring_publish(&pipe.rings[end.side])
    if atomic_exchange(&pipe.told[1 - end.side], 1, __ATOMIC_ACQ_REL) == 0:
        write(pipe.wake_fds[1 - end.side], &one, sizeof(one))
        end.wakes += 1


cdef void pipe_listen(PipeEnd *end) noexcept nogil:
    # most calls find nothing to clear, and then leave the line to the other side
    if atomic_load(&end.pipe.told[end.side], __ATOMIC_ACQUIRE):
        atomic_exchange(&end.pipe.told[end.side], 0, __ATOMIC_ACQ_REL)


cdef uint8_t *pipe_peek(PipeEnd *end, uint32_t *size) noexcept nogil:
    return ring_peek(&end.pipe.rings[1 - end.side], size)


cdef void pipe_drop(PipeEnd *end) noexcept nogil:
    ring_drop(&end.pipe.rings[1 - end.side])
