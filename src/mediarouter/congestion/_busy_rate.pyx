"""The rate at which a busy link carries our packets.

Theory of operation
The throughput of the last second tells too much when a link has just become narrower, and too little of a viewer who
is sent less than the link carries: a key frame makes a queue for a moment, the trend calls it overuse, and a cut to
85 % of what arrived would take nearly all. But packets that waited came one behind the other, as fast as the link is.
So only those are counted: the bytes of packets that had waited, over the time since the packet before each, for the
last third of a second. While a queue stands that is all there is; where a burst made it, it is the burst.

Sums are kept in buckets of 16 ms.
"""

cimport cython
from libc.stdint cimport int64_t
from libc.string cimport memset

cdef enum:
    SHIFT = 14
    SPAN = 20                      # buckets looked at: 328 ms
    WAITED_US = 8000               # a packet that waited less may have found the link idle
    OWN_US = 16000                 # what a packet itself may take, beside its waiting
    BUSY_LEAST_US = 30000
    PACKETS_LEAST = 4


cdef void busy_rate_init(BusyRate *rate) noexcept nogil:
    memset(rate, 0, sizeof(BusyRate))


cdef void busy_rate_add(BusyRate *rate, int64_t arrival_us, int size_bytes, int64_t queue_us) noexcept nogil:
    cdef int64_t bucket = arrival_us >> SHIFT
    cdef int64_t span_us = arrival_us - rate.last_us
    cdef int64_t i
    if not rate.begun or not -BUSY_BUCKETS < bucket - rate.newest < BUSY_BUCKETS:
        busy_rate_init(rate)
        rate.begun = True
        rate.newest = bucket
        rate.last_us = arrival_us
        return
    for i in range(rate.newest + 1, bucket + 1):
        rate.bytes[i & (BUSY_BUCKETS - 1)] = 0
        rate.busy_us[i & (BUSY_BUCKETS - 1)] = 0
        rate.packets[i & (BUSY_BUCKETS - 1)] = 0
    rate.newest = max(rate.newest, bucket)
    rate.last_us = max(rate.last_us, arrival_us)
    if span_us < 0 or queue_us < WAITED_US or span_us > queue_us + OWN_US:
        return
    rate.bytes[bucket & (BUSY_BUCKETS - 1)] += size_bytes
    rate.busy_us[bucket & (BUSY_BUCKETS - 1)] += <int>span_us
    rate.packets[bucket & (BUSY_BUCKETS - 1)] += 1


cdef int64_t busy_rate_bps(const BusyRate *rate) noexcept nogil:
    cdef int64_t total_bytes = 0
    cdef int64_t total_us = 0
    cdef int packets = 0
    cdef int64_t i
    if not rate.begun:
        return -1
    for i in range(rate.newest - SPAN + 1, rate.newest + 1):
        total_bytes += rate.bytes[i & (BUSY_BUCKETS - 1)]
        total_us += rate.busy_us[i & (BUSY_BUCKETS - 1)]
        packets += rate.packets[i & (BUSY_BUCKETS - 1)]
    if packets < PACKETS_LEAST or total_us < BUSY_LEAST_US:
        return -1
    return total_bytes * 8 * 1000000 // total_us


# ---- the Python face, for tests

@cython.final
cdef class BusyRateFace:
    """A BusyRate: the same functions, Python numbers."""
    cdef BusyRate rate

    def __cinit__(self):
        busy_rate_init(&self.rate)

    def add(self, int64_t arrival_us, int size_bytes, int64_t queue_us):
        """A packet arrived that had waited for so long."""
        busy_rate_add(&self.rate, arrival_us, size_bytes, queue_us)

    @property
    def bps(self):
        """What the link carried while it was busy, bit/s; -1: too little is known."""
        return busy_rate_bps(&self.rate)
