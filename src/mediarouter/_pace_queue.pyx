"""What waits for its turn to leave for one viewer; `_pace_queue.pxd` tells what that is."""

cimport cython
from libc.stdint cimport int64_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from mediarouter.congestion._pacer cimport (
    pacer_init,
    pacer_is_due,
    pacer_is_free,
    pacer_next_us,
    pacer_sent,
    pacer_sent_waiting,
    pacer_set_rate,
)

cdef enum:
    FIRST_CAPACITY = 64
    HELD_MAX = 4096                # beyond that packets leave at once: a burst is better than a loss


cdef void pace_queue_init(PaceQueue *queue) noexcept nogil:
    memset(queue, 0, sizeof(PaceQueue))
    pacer_init(&queue.pacer, 0)


cdef void pace_queue_release(PaceQueue *queue) noexcept nogil:
    free(queue.resent.ring)
    free(queue.media.ring)
    memset(&queue.resent, 0, sizeof(HeldQueue))
    memset(&queue.media, 0, sizeof(HeldQueue))


cdef bint make_room(HeldQueue *queue) noexcept nogil:
    cdef uint32_t capacity = queue.capacity * 2 if queue.capacity else FIRST_CAPACITY
    cdef HeldPacket *ring
    cdef uint32_t i
    if queue.count < queue.capacity:
        return True
    if queue.count == HELD_MAX:
        return False
    ring = <HeldPacket *>calloc(capacity, sizeof(HeldPacket))
    if ring == NULL:
        return False
    for i in range(queue.count):
        ring[i] = queue.ring[(queue.first + i) & (queue.capacity - 1)]
    free(queue.ring)
    queue.ring = ring
    queue.first = 0
    queue.capacity = capacity
    return True


cdef bint pace_queue_hold(PaceQueue *queue, uint32_t consumer, uint16_t seq, int size, bint again,
                          int64_t now_us) noexcept nogil:
    cdef HeldQueue *own = &queue.resent if again else &queue.media
    cdef HeldPacket *held
    if (pace_queue_count(queue) == 0 and pacer_is_free(&queue.pacer, now_us)) or not make_room(own):
        pacer_sent(&queue.pacer, size, now_us)
        return False
    held = &own.ring[(own.first + own.count) & (own.capacity - 1)]
    held.at_us = now_us
    held.consumer = consumer
    held.seq = seq
    held.size = <uint16_t>size
    held.again = again
    own.count += 1
    queue.waiting_bytes += size
    queue.held += 1
    return True


cdef inline int64_t oldest_us(const PaceQueue *queue) noexcept nogil:
    cdef int64_t resent_us = queue.resent.ring[queue.resent.first].at_us if queue.resent.count else -1
    cdef int64_t media_us = queue.media.ring[queue.media.first].at_us if queue.media.count else -1
    return resent_us if media_us < 0 or 0 <= resent_us < media_us else media_us


cdef bint pace_queue_next(PaceQueue *queue, HeldPacket *held, bint hurried, int64_t now_us) noexcept nogil:
    cdef int64_t since_us
    cdef HeldQueue *own = &queue.resent if queue.resent.count else &queue.media
    if own.count == 0:
        return False
    since_us = oldest_us(queue)
    if not hurried and not pacer_is_due(&queue.pacer, since_us, now_us):
        return False
    held[0] = own.ring[own.first]
    pacer_sent_waiting(&queue.pacer, held.size, queue.waiting_bytes, since_us, now_us)
    own.first = (own.first + 1) & (own.capacity - 1)
    own.count -= 1
    queue.waiting_bytes -= held.size
    queue.longest_us = max(queue.longest_us, now_us - held.at_us)
    return True


cdef void pace_queue_sent(PaceQueue *queue, int size, int64_t now_us) noexcept nogil:
    pacer_sent(&queue.pacer, size, now_us)


cdef int64_t pace_queue_due_us(const PaceQueue *queue, int64_t now_us) noexcept nogil:
    if pace_queue_count(queue) == 0:
        return -1
    return pacer_next_us(&queue.pacer, oldest_us(queue), now_us)


cdef int64_t pace_queue_wait_us(const PaceQueue *queue, int64_t now_us) noexcept nogil:
    return now_us - oldest_us(queue) if pace_queue_count(queue) else 0


# ---- the Python face, for tests

@cython.final
cdef class PacedQueue:
    """A queue of one viewer.

    Args:
        rate_bps: of what leaves, bit/s.
    """
    cdef PaceQueue queue

    def __cinit__(self, int64_t rate_bps):
        pace_queue_init(&self.queue)
        pacer_set_rate(&self.queue.pacer, rate_bps)

    def __dealloc__(self):
        pace_queue_release(&self.queue)

    def set_rate(self, int64_t bps):
        """Set the rate of what leaves from now on, bit/s."""
        pacer_set_rate(&self.queue.pacer, bps)

    def hold(self, uint32_t consumer, uint16_t seq, int size, bint again, int64_t now_us):
        """True: the packet waits. False: it leaves now."""
        return pace_queue_hold(&self.queue, consumer, seq, size, again, now_us)

    def take(self, int64_t now_us, bint hurried=False):
        """The next packet that may leave now: (consumer, seq, size, again, when it came); None: none may."""
        cdef HeldPacket held
        if not pace_queue_next(&self.queue, &held, hurried, now_us):
            return None
        return held.consumer, held.seq, held.size, held.again, held.at_us

    def sent(self, int size, int64_t now_us):
        """Something left that never waited."""
        pace_queue_sent(&self.queue, size, now_us)

    def due_us(self, int64_t now_us):
        """When to look again; -1: nothing waits."""
        return pace_queue_due_us(&self.queue, now_us)

    def wait_us(self, int64_t now_us):
        """How long the one that came first waits by now."""
        return pace_queue_wait_us(&self.queue, now_us)

    @property
    def figures(self):
        """(packets that wait, their bytes, packets that had to wait so far, longest wait in microseconds)"""
        return (pace_queue_count(&self.queue), self.queue.waiting_bytes, self.queue.held, self.queue.longest_us)
