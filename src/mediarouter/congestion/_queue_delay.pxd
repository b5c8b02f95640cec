# How long packets wait in the network's queue: one-way delay above the least of the last ten seconds. Clocks need not
# agree, since only differences count.
from libc.stdint cimport int64_t

cdef enum:
    QUEUE_BUCKETS = 10

cdef struct QueueDelay:
    int64_t least_us[10]           # of each of the last ten seconds
    int64_t bucket_began_us        # 0 buckets: nothing yet
    int64_t queue_us               # of the newest packets
    int buckets
    int at

cdef void queue_delay_init(QueueDelay *queue) noexcept nogil
# A packet that arrived; times of different clocks
cdef void queue_delay_add(QueueDelay *queue, int64_t send_us, int64_t arrival_us) noexcept nogil
