# What waits for its turn to leave for one viewer (`congestion/_pacer.pxd` says when): not packets, but what they are
# made of again from the slab, 24 bytes each. Sans-IO.
#
# Two queues: retransmissions leave first, since a picture waits for them. Inside each, order is kept.
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from mediarouter.congestion._pacer cimport Pacer

cdef struct HeldPacket:
    int64_t at_us                  # when it came
    uint32_t consumer              # handle
    uint16_t seq                   # outgoing
    uint16_t size                  # bytes, as the network carries it
    bint again                     # a retransmission

cdef struct HeldQueue:
    HeldPacket *ring
    uint32_t first
    uint32_t count
    uint32_t capacity              # a power of two

cdef struct PaceQueue:
    Pacer pacer
    HeldQueue resent
    HeldQueue media
    int64_t waiting_bytes
    uint64_t held                  # packets that had to wait
    int64_t longest_us             # the longest wait there was

cdef void pace_queue_init(PaceQueue *queue) noexcept nogil
cdef void pace_queue_release(PaceQueue *queue) noexcept nogil
cdef inline uint32_t pace_queue_count(const PaceQueue *queue) noexcept nogil:
    return queue.resent.count + queue.media.count
# True: the packet waits, and will be told by `pace_queue_next`. False: it shall leave now, and was counted.
cdef bint pace_queue_hold(PaceQueue *queue, uint32_t consumer, uint16_t seq, int size, bint again,
                          int64_t now_us) noexcept nogil
# The next packet that may leave now, taken out and counted; False: none. `hurried`: one leaves whenever one waits.
cdef bint pace_queue_next(PaceQueue *queue, HeldPacket *held, bint hurried, int64_t now_us) noexcept nogil
# Something left that never waited: a probe
cdef void pace_queue_sent(PaceQueue *queue, int size, int64_t now_us) noexcept nogil
# When to look again; -1: nothing waits
cdef int64_t pace_queue_due_us(const PaceQueue *queue, int64_t now_us) noexcept nogil
# How long the one that came first waits by now; 0: none does
cdef int64_t pace_queue_wait_us(const PaceQueue *queue, int64_t now_us) noexcept nogil
