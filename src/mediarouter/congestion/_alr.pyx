"""Application-limited regions: times in which a viewer is sent much less than the estimate of its link.

Theory of operation
What was measured while little was sent says nothing about what the link could carry, so that the estimate must not grow
by itself then, and a probe is the only way to learn more. A budget tells such times: it fills at 65 % of the estimate,
each packet takes its bits out, and it holds half a second of filling, as credit or as debt. Above 80 % of its credit
the region begins, below 50 % it ends. Half a second of window takes key frames for what they are, and the gap between
the two levels keeps the state from changing with each of them.

The level is kept in millionths of a bit, the unit of bit/s times microseconds, so that nothing is rounded away however
often time moves on. The figures are those of alr_detector and interval_budget in libwebrtc.
"""

cimport cython
from libc.stdint cimport int64_t

cdef enum:
    RATE_MAX_BPS = 2000000000
    WINDOW_US = 500000
    USED_PERCENT = 65
    BEGIN_PERCENT = 80
    END_PERCENT = 50
    MICROBITS_PER_BYTE = 8000000


cdef void alr_init(Alr *a, int64_t estimate_bps) noexcept nogil:
    a.since_us = -1
    a.last_us = -1
    a.level = 0
    a.rate_bps = 0
    alr_set_estimate(a, estimate_bps)


cdef void alr_set_estimate(Alr *a, int64_t bps) noexcept nogil:
    cdef int64_t full
    a.rate_bps = min(max(bps, 0), <int64_t>RATE_MAX_BPS) * USED_PERCENT // 100
    full = a.rate_bps * WINDOW_US
    a.level = min(max(a.level, -full), full)


cdef void alr_sent(Alr *a, int size_bytes, int64_t now_us) noexcept nogil:
    cdef int64_t full = a.rate_bps * WINDOW_US
    cdef int64_t elapsed_us
    if a.last_us < 0:
        a.last_us = now_us         # over which time the first packet was sent is not known
        return
    elapsed_us = min(max(now_us - a.last_us, 0), <int64_t>2 * WINDOW_US)
    a.last_us = max(a.last_us, now_us)
    a.level = max(a.level - <int64_t>max(size_bytes, 0) * MICROBITS_PER_BYTE, -full)
    a.level = min(a.level + a.rate_bps * elapsed_us, full)
    if a.since_us < 0:
        if a.level * 100 > full * BEGIN_PERCENT:
            a.since_us = now_us
    elif a.level * 100 < full * END_PERCENT:
        a.since_us = -1


# ---- the Python face

cdef int64_t TIME_MAX_US = <int64_t>1 << 60


@cython.final
cdef class AlrDetector:
    """Tells when a link is sent much less than it would carry.

    Args:
        estimate_bps: what the link is thought to carry, bit/s, 0..2e9; more counts as that.
    """
    cdef Alr alr

    def __cinit__(self, int64_t estimate_bps):
        alr_init(&self.alr, estimate_bps)

    def set_estimate(self, int64_t bps):
        """Set what the link is thought to carry, in bit/s."""
        alr_set_estimate(&self.alr, bps)

    def on_sent(self, int size_bytes, int64_t now_us):
        """Count a packet that went out; 0 bytes tell just the time.

        Args:
            size_bytes: of the packet, 0..65535.
            now_us: microseconds of any clock, 0..2**60; what goes back counts as no time passed.

        Raises:
            ValueError: size or time is out of range.
        """
        if not 0 <= size_bytes <= 65535:
            raise ValueError("size must be 0..65535 bytes")
        if not 0 <= now_us < TIME_MAX_US:
            raise ValueError("time out of range")
        alr_sent(&self.alr, size_bytes, now_us)

    @property
    def since_us(self):
        """When the application-limited region began, in microseconds; None outside of one."""
        return None if self.alr.since_us < 0 else self.alr.since_us

    @property
    def level(self):
        """How full the budget is, -1.0..1.0; 0.0 while 65 % of the estimate are used, or nothing is known."""
        cdef int64_t full = self.alr.rate_bps * WINDOW_US
        return self.alr.level / <double>full if full else 0.0
