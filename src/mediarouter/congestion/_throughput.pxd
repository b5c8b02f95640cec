# What gets through a path: the rate of the packets that arrived of late, and not more than was sent.
from libc.stdint cimport int32_t, int64_t

cdef enum:
    THROUGHPUT_CAPACITY = 512

cdef struct Throughput:
    int64_t min_window_us          # what the window takes at least, where that many packets are there
    int64_t arrivals[THROUGHPUT_CAPACITY]      # microseconds, sorted
    int64_t sends[THROUGHPUT_CAPACITY]
    int32_t sizes[THROUGHPUT_CAPACITY]         # bytes
    int64_t bytes                  # of all in the window
    int64_t newest_send_us         # the latest sending seen
    int64_t discarded_send_us      # the latest sending among the packets that left the window
    int64_t first                  # packets that left so far; the place of the oldest
    int64_t end                    # packets that came so far; the place of the next one
    int64_t disordered_end         # `end` after the last packet that came out of order

cdef void throughput_init(Throughput *t) noexcept nogil
# A second at the beginning
cdef void throughput_set_min_window(Throughput *t, int64_t min_window_us) noexcept nogil
cdef void throughput_add(Throughput *t, int64_t send_us, int64_t arrival_us, int size_bytes) noexcept nogil
cdef int64_t throughput_bps(const Throughput *t) noexcept nogil          # -1: not known yet
