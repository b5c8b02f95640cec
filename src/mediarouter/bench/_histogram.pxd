# Times of travel, counted by the microsecond, and their quantiles.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

cdef enum:
    STEPS = 50000                  # microseconds, one each; the last holds all above

cdef struct Histogram:
    uint32_t counts[50000]
    uint64_t total

cdef inline void histogram_clear(Histogram *histogram) noexcept nogil:
    memset(histogram, 0, sizeof(Histogram))

cdef inline void histogram_add(Histogram *histogram, int64_t time_ns) noexcept nogil:
    cdef int64_t step = time_ns // 1000
    step = 0 if step < 0 else step
    histogram.counts[step if step < STEPS else STEPS - 1] += 1
    histogram.total += 1

# Microseconds that this share of all stayed at or below
cdef inline int64_t histogram_quantile(const Histogram *histogram, double share) noexcept nogil:
    cdef uint64_t seen = 0
    cdef int64_t i
    for i in range(STEPS):
        seen += histogram.counts[i]
        if seen and <double>seen >= share * <double>histogram.total:
            return i
    return 0
