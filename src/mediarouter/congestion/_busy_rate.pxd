# What a link carried while it was busy with our packets; `_busy_rate.pyx` tells why.
from libc.stdint cimport int32_t, int64_t

cdef enum:
    BUSY_BUCKETS = 32

cdef struct BusyRate:
    int32_t bytes[BUSY_BUCKETS]    # that came one behind the other
    int32_t busy_us[BUSY_BUCKETS]  # which took so long
    int32_t packets[BUSY_BUCKETS]
    int64_t newest                 # bucket
    int64_t last_us                # arrival
    bint begun

cdef void busy_rate_init(BusyRate *rate) noexcept nogil
# A packet that had waited for `queue_us` on its way
cdef void busy_rate_add(BusyRate *rate, int64_t arrival_us, int size_bytes, int64_t queue_us) noexcept nogil
# bit/s of the last moments; -1: it was not busy for long enough to tell
cdef int64_t busy_rate_bps(const BusyRate *rate) noexcept nogil
