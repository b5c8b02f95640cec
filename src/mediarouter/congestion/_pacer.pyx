"""When what is sent may leave, so that bursts do not fill the network's queue.

Theory of operation
What was sent keeps the sender busy for as long as it takes at the pacing rate, and a packet may leave while that reaches
less than 5 ms ahead. The rate is half as much again as the estimate, less than encoders take (libwebrtc 2.5 times): a
router's bursts are the key frames after switches of layers, of several streams at a time, and what the network is sent
faster than it carries stands in its queue, where audio waits too and the estimator sees congestion. So whoever's
network carries five times what is watched gets frames of ordinary size at once. Whose network is just enough gets a
frame over 22 ms (that is a thirtieth of a second at the rate), no later than its network would have brought it; and
what is many times larger, as a key frame or a storm of retransmissions, takes the time it needs.

What has to wait leaves in order, in slices of 5 ms, so that each is a few packets in one system call. Nothing waits
longer than 250 ms: when what is there would take longer, it leaves as fast as that needs, whatever the rate.

Time is kept in nanoseconds, so that the rounding of a packet's time is less than a millionth of it.
"""

cimport cython
from libc.stdint cimport int64_t

cdef enum:
    RATE_MAX_BPS = 2000000000
    RATE_MIN_BPS = 1000
    BITS = 8

cdef int64_t SECOND_NS = 1000000000
cdef int64_t MICRO_NS = 1000


cdef void pacer_init(Pacer *p, int64_t rate_bps) noexcept nogil:
    p.free_ns = 0
    pacer_set_rate(p, rate_bps)


cdef void pacer_set_rate(Pacer *p, int64_t bps) noexcept nogil:
    p.rate_bps = min(max(bps, <int64_t>RATE_MIN_BPS), <int64_t>RATE_MAX_BPS)


cdef void pacer_set_target(Pacer *p, int64_t target_bps) noexcept nogil:
    pacer_set_rate(p, min(max(target_bps, 0), <int64_t>RATE_MAX_BPS) * PACER_PERCENT // 100)


cdef bint pacer_is_free(const Pacer *p, int64_t now_us) noexcept nogil:
    return p.free_ns <= (now_us + PACER_BURST_US) * MICRO_NS


cdef void pacer_sent(Pacer *p, int size_bytes, int64_t now_us) noexcept nogil:
    p.free_ns = max(p.free_ns, now_us * MICRO_NS) + size_bytes * BITS * SECOND_NS // p.rate_bps


cdef bint pacer_is_due(const Pacer *p, int64_t oldest_us, int64_t now_us) noexcept nogil:
    return pacer_is_free(p, now_us) or now_us - oldest_us >= PACER_WAIT_US


cdef void pacer_sent_waiting(Pacer *p, int size_bytes, int64_t waiting_bytes, int64_t oldest_us,
                             int64_t now_us) noexcept nogil:
    # what waits must be gone in time
    cdef int64_t rate_bps = p.rate_bps
    cdef int64_t left_us = max(oldest_us + PACER_WAIT_US - now_us, <int64_t>PACER_SLICE_US)
    p.rate_bps = max(rate_bps, waiting_bytes * BITS * 1000000 // left_us)
    pacer_sent(p, size_bytes, now_us)
    p.rate_bps = rate_bps


cdef int64_t pacer_next_us(const Pacer *p, int64_t oldest_us, int64_t now_us) noexcept nogil:
    cdef int64_t free_us = (p.free_ns + MICRO_NS - 1) // MICRO_NS - PACER_BURST_US
    return max(now_us + PACER_SLICE_US, min(free_us, oldest_us + PACER_WAIT_US))


# ---- the Python face

cdef int64_t TIME_MAX_US = <int64_t>1 << 52


cdef int check_time(int64_t now_us) except -1:
    if not 0 <= now_us < TIME_MAX_US:
        raise ValueError("time out of range")
    return 0


cdef int check_size(int64_t size_bytes, int64_t least, int64_t most) except -1:
    if not least <= size_bytes <= most:
        raise ValueError("size out of range")
    return 0


@cython.final
cdef class MediaPacer:
    """Tells a sender whether a packet may leave, or has to wait behind what was sent.

    The sender keeps what waits: in order, audio not at all. While something waits, what comes goes behind it.

    Args:
        rate_bps: to send at, bit/s; taken as 1,000..2e9.
    """
    cdef Pacer pacer

    def __cinit__(self, int64_t rate_bps):
        pacer_init(&self.pacer, rate_bps)

    def set_rate(self, int64_t bps):
        """Set the rate that what is sent from now on is spread at, in bit/s; taken as 1,000..2e9."""
        pacer_set_rate(&self.pacer, bps)

    def set_target(self, int64_t target_bps):
        """Set the rate that suits an estimate of the network, in bit/s: 1.5 times as much."""
        pacer_set_target(&self.pacer, target_bps)

    def is_free(self, int64_t now_us):
        """True when a packet may leave now; for when nothing waits.

        Raises:
            ValueError: the time is not within 0..2**52 us.
        """
        check_time(now_us)
        return pacer_is_free(&self.pacer, now_us)

    def on_sent(self, int size_bytes, int64_t now_us):
        """Count a packet that left without waiting.

        Raises:
            ValueError: the size is not within 1..65535 bytes, or the time not within 0..2**52 us.
        """
        check_time(now_us)
        check_size(size_bytes, 1, 65535)
        pacer_sent(&self.pacer, size_bytes, now_us)

    def is_due(self, int64_t oldest_us, int64_t now_us):
        """True when the first of what waits may leave now.

        Args:
            oldest_us: when it came.

        Raises:
            ValueError: a time is not within 0..2**52 us.
        """
        check_time(now_us)
        check_time(oldest_us)
        return pacer_is_due(&self.pacer, oldest_us, now_us)

    def on_sent_waiting(self, int size_bytes, int64_t waiting_bytes, int64_t oldest_us, int64_t now_us):
        """Count a packet that left after it had waited.

        Args:
            waiting_bytes: all that waited, with this packet; 1..2**31.
            oldest_us: when the first of it came.

        Raises:
            ValueError: a size or a time is out of range.
        """
        check_time(now_us)
        check_time(oldest_us)
        check_size(size_bytes, 1, 65535)
        check_size(waiting_bytes, 1, <int64_t>1 << 31)
        pacer_sent_waiting(&self.pacer, size_bytes, waiting_bytes, oldest_us, now_us)

    def next_us(self, int64_t oldest_us, int64_t now_us):
        """When to look again at what waits, in microseconds.

        Raises:
            ValueError: a time is not within 0..2**52 us.
        """
        check_time(now_us)
        check_time(oldest_us)
        return pacer_next_us(&self.pacer, oldest_us, now_us)
