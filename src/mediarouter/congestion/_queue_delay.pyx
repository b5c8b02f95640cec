"""The network's queue as packets see it.

Theory of operation
A packet's one-way delay is its arrival less its sending, by two clocks: meaningless but for its changes. The least of
the last ten seconds, a bucket each, is what the path takes without a queue; what a packet takes beyond it, it waited.
A queue that never empties for ten seconds becomes part of the path, as it must when the route itself has become longer.
"""

cimport cython
from libc.stdint cimport int64_t
from libc.string cimport memset

cdef enum:
    BUCKET_US = 1000000


cdef void queue_delay_init(QueueDelay *queue) noexcept nogil:
    memset(queue, 0, sizeof(QueueDelay))


cdef void queue_delay_add(QueueDelay *queue, int64_t send_us, int64_t arrival_us) noexcept nogil:
    cdef int64_t delay_us = arrival_us - send_us
    cdef int64_t least_us = delay_us
    cdef int i
    if queue.buckets == 0 or send_us - queue.bucket_began_us > QUEUE_BUCKETS * BUCKET_US:
        queue.buckets = 1
        queue.at = 0
        queue.least_us[0] = delay_us
        queue.bucket_began_us = send_us
    elif send_us - queue.bucket_began_us >= BUCKET_US:
        queue.at = (queue.at + 1) % QUEUE_BUCKETS
        queue.buckets = min(queue.buckets + 1, <int>QUEUE_BUCKETS)
        queue.least_us[queue.at] = delay_us
        queue.bucket_began_us = send_us
    elif delay_us < queue.least_us[queue.at]:
        queue.least_us[queue.at] = delay_us
    for i in range(queue.buckets):
        least_us = min(least_us, queue.least_us[i])
    queue.queue_us = delay_us - least_us


# ---- the Python face

@cython.final
cdef class QueueDelayFace:
    """A QueueDelay for tests: the same functions, Python numbers."""
    cdef QueueDelay queue

    def __cinit__(self):
        queue_delay_init(&self.queue)

    def add(self, int64_t send_us, int64_t arrival_us):
        """A packet arrived; how long it waited, in microseconds."""
        queue_delay_add(&self.queue, send_us, arrival_us)
        return self.queue.queue_us
