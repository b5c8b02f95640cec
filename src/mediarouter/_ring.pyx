"""A lock-free ring between two threads; `_ring.pxd` tells how it works."""

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

cdef extern from "stdlib.h" nogil:
    void *aligned_alloc(size_t alignment, size_t size)

cdef extern from *:
    """
    #include <sched.h>
    """
    uint64_t atomic_load "__atomic_load_n" (const uint64_t *value, int order) noexcept nogil
    void atomic_store "__atomic_store_n" (uint64_t *value, uint64_t wanted, int order) noexcept nogil
    int __ATOMIC_ACQUIRE, __ATOMIC_RELEASE
    int sched_yield() noexcept nogil

cdef enum:
    SKIP = 0xFFFFFFFF              # in place of a size: the next record is at the front
    PAGE = 4096


cdef bint ring_init(Ring *ring, uint64_t size) noexcept nogil:
    memset(ring, 0, sizeof(Ring))
    if size < PAGE or size & (size - 1):
        return False
    ring.data = <uint8_t *>aligned_alloc(PAGE, size)
    ring.size = size
    return ring.data != NULL


cdef void ring_release(Ring *ring) noexcept nogil:
    free(ring.data)
    memset(ring, 0, sizeof(Ring))


cdef inline uint64_t room_of(uint32_t size) noexcept nogil:
    return (<uint64_t>size + RING_HEADER + RING_GRAIN - 1) & ~<uint64_t>(RING_GRAIN - 1)


cdef inline uint32_t *header_at(const Ring *ring, uint64_t count) noexcept nogil:
    return <uint32_t *>(ring.data + (count & (ring.size - 1)))


cdef uint8_t *ring_reserve(Ring *ring, uint32_t size, uint32_t spare) noexcept nogil:
    cdef uint64_t room = room_of(size)
    cdef uint64_t left = ring.size - (ring.written & (ring.size - 1))
    cdef uint64_t skipped = left if left < room else 0
    cdef uint64_t end = ring.written + skipped + room + spare
    if end - ring.seen_freed > ring.size:
        ring.seen_freed = atomic_load(&ring.freed, __ATOMIC_ACQUIRE)
        if end - ring.seen_freed > ring.size:
            return NULL
    if skipped:
        header_at(ring, ring.written)[0] = SKIP
        ring.written += skipped
    return <uint8_t *>header_at(ring, ring.written) + RING_HEADER


cdef void ring_commit(Ring *ring, uint32_t size) noexcept nogil:
    header_at(ring, ring.written)[0] = size
    ring.written += room_of(size)


cdef void ring_publish(Ring *ring) noexcept nogil:
    atomic_store(&ring.published, ring.written, __ATOMIC_RELEASE)


cdef uint8_t *ring_peek(Ring *ring, uint32_t *size) noexcept nogil:
    cdef const uint32_t *header
    while True:
        if ring.taken == ring.seen_published:
            ring.seen_published = atomic_load(&ring.published, __ATOMIC_ACQUIRE)
            if ring.taken == ring.seen_published:
                return NULL
        header = header_at(ring, ring.taken)
        if header[0] != SKIP:
            size[0] = header[0]
            return <uint8_t *>header + RING_HEADER
        ring.taken += ring.size - (ring.taken & (ring.size - 1))


cdef void ring_drop(Ring *ring) noexcept nogil:
    ring.taken += room_of(header_at(ring, ring.taken)[0])
    atomic_store(&ring.freed, ring.taken, __ATOMIC_RELEASE)


@cython.final
cdef class RingFace:
    """A Ring, for tests; the writer's methods and the reader's may be used by two threads at a time.

    Args:
        size: bytes, a power of two from 4096.
    """
    cdef Ring ring

    def __cinit__(self, uint64_t size):
        if not ring_init(&self.ring, size):
            raise ValueError(f"{size} bytes are no ring: a power of two from {<int>PAGE}")

    def __dealloc__(self):
        ring_release(&self.ring)

    def write(self, bytes data, uint32_t spare=0):
        """Put a record in, not published yet; False: it does not fit now."""
        cdef const uint8_t[::1] view = data
        cdef uint32_t size = <uint32_t>len(data)
        cdef uint8_t *room = ring_reserve(&self.ring, size, spare)
        cdef uint32_t i
        if room == NULL:
            return False
        for i in range(size):
            room[i] = view[i]
        ring_commit(&self.ring, size)
        return True

    def publish(self):
        """Show the reader what was written."""
        ring_publish(&self.ring)

    def read(self):
        """The next record's bytes, None."""
        cdef uint32_t size
        cdef uint8_t *record = ring_peek(&self.ring, &size)
        if record == NULL:
            return None
        data = (<const char *>record)[:size]
        ring_drop(&self.ring)
        return data

    def write_many(self, int count, int batch):
        """Write records made of their numbers, publishing every `batch` of them; without the GIL, and it waits for
        room. How often the ring was full."""
        cdef int number
        cdef int full = 0
        cdef uint8_t *room
        with nogil:
            for number in range(count):
                while True:
                    room = ring_reserve(&self.ring, test_size(number), 0)
                    if room != NULL:
                        break
                    full += 1
                    ring_publish(&self.ring)
                    sched_yield()
                fill(room, number)
                ring_commit(&self.ring, test_size(number))
                if number % batch == batch - 1:
                    ring_publish(&self.ring)
            ring_publish(&self.ring)
        return full

    def read_many(self, int count):
        """Read as many records as `write_many` writes; without the GIL, and it waits for them. How many were as they
        should be."""
        cdef int number
        cdef int right = 0
        cdef uint32_t size
        cdef uint8_t *record
        with nogil:
            for number in range(count):
                while True:
                    record = ring_peek(&self.ring, &size)
                    if record != NULL:
                        break
                    sched_yield()
                right += size == test_size(number) and is_filled(record, number)
                ring_drop(&self.ring)
        return right


cdef inline uint32_t test_size(int number) noexcept nogil:
    return <uint32_t>(number * 7919 % 1400)


cdef void fill(uint8_t *record, int number) noexcept nogil:
    cdef uint32_t i
    for i in range(test_size(number)):
        record[i] = <uint8_t>(number + i)


cdef bint is_filled(const uint8_t *record, int number) noexcept nogil:
    cdef uint32_t i
    for i in range(test_size(number)):
        if record[i] != <uint8_t>(number + i):
            return False
    return True
