# What arrived within the last quarter of a second: while a queue stands, that is what the link carries now.
from libc.stdint cimport int64_t

cdef enum:
    RECENT_BUCKETS = 32            # of 2^14 us each: half a second

cdef struct RecentRate:
    int64_t bytes[32]
    int64_t newest                 # bucket; arrival time >> 14
    int filled                     # buckets since the first packet, up to all

cdef void recent_rate_init(RecentRate *rate) noexcept nogil
# A packet that arrived, by the receiver's clock; packets may come a little out of order
cdef void recent_rate_add(RecentRate *rate, int64_t arrival_us, int size_bytes) noexcept nogil
# bit/s; -1: too little time is covered
cdef int64_t recent_rate_bps(const RecentRate *rate) noexcept nogil
