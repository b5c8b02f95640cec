"""The rate of the last moments.

Theory of operation
The robust throughput looks back a second and more, as it must to be steady. But when a link has just become narrower,
or wider, most of that second is of before: a cut to 85 % of it is not deep enough, or far too deep. While packets queue
the link is never idle, and a quarter of a second of arrivals tells what it carries.

Bytes are counted in buckets of 16 ms; the newest one is left out, since it is not whole yet.
"""

cimport cython
from libc.stdint cimport int64_t
from libc.string cimport memset

cdef enum:
    SHIFT = 14
    SPAN = 16                      # buckets looked at: 262 ms
    LEAST = 8


cdef void recent_rate_init(RecentRate *rate) noexcept nogil:
    memset(rate, 0, sizeof(RecentRate))


cdef void recent_rate_add(RecentRate *rate, int64_t arrival_us, int size_bytes) noexcept nogil:
    cdef int64_t bucket = arrival_us >> SHIFT
    cdef int64_t i
    if rate.filled == 0 or not -RECENT_BUCKETS < bucket - rate.newest < RECENT_BUCKETS:
        memset(rate, 0, sizeof(RecentRate))
        rate.newest = bucket
        rate.filled = 1
    elif bucket > rate.newest:
        for i in range(rate.newest + 1, bucket + 1):
            rate.bytes[i & (RECENT_BUCKETS - 1)] = 0
        rate.filled = min(rate.filled + <int>(bucket - rate.newest), <int>RECENT_BUCKETS)
        rate.newest = bucket
    rate.bytes[bucket & (RECENT_BUCKETS - 1)] += size_bytes


cdef int64_t recent_rate_bps(const RecentRate *rate) noexcept nogil:
    cdef int span = min(rate.filled - 1, <int>SPAN)
    cdef int64_t total = 0
    cdef int64_t i
    if span < LEAST:
        return -1
    for i in range(rate.newest - span, rate.newest):
        total += rate.bytes[i & (RECENT_BUCKETS - 1)]
    return total * 8 * 1000000 // (<int64_t>span << SHIFT)


# ---- the Python face

@cython.final
cdef class RecentRateFace:
    """A RecentRate for tests: the same functions, Python numbers."""
    cdef RecentRate rate

    def __cinit__(self):
        recent_rate_init(&self.rate)

    def add(self, int64_t arrival_us, int size_bytes):
        """A packet arrived."""
        recent_rate_add(&self.rate, arrival_us, size_bytes)

    @property
    def bps(self):
        """What arrived lately, bit/s; -1: too little is known."""
        return recent_rate_bps(&self.rate)
