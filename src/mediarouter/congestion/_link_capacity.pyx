"""What a link can carry (draft-ietf-rmcat-gcc-02 section 5.5: the average of the rate at overuse, and its deviation).

Theory of operation
What gets through at the moment of overuse is what the link can do. An exponential average of it (a twentieth new)
tells a sender that it is near the end of the ramp, and should go on in small steps. The variance is kept divided by
the estimate, within 0.4 and 2.5: at 500 kbit/s a deviation of 14 to 35 kbit/s. Who uses it forgets the estimate where
the throughput is more than three deviations away.
"""

cimport cython
from libc.math cimport sqrt
from libc.stdint cimport int64_t

cdef double UNKNOWN = -1.0
cdef double SHARE = 0.05           # of a new sample
cdef double VARIANCE_MIN = 0.4
cdef double VARIANCE_MAX = 2.5
cdef double DEVIATIONS = 3.0
cdef int64_t ANY_BPS = <int64_t>1 << 62


cdef void link_capacity_init(LinkCapacity *c) noexcept nogil:
    c.kbps = UNKNOWN
    c.variance = VARIANCE_MIN


cdef void link_capacity_forget(LinkCapacity *c) noexcept nogil:
    c.kbps = UNKNOWN               # how much links vary here is still known


cdef void link_capacity_overused(LinkCapacity *c, int64_t acked_bps) noexcept nogil:
    cdef double sample = max(acked_bps, 0) / 1000.0, error
    c.kbps = sample if c.kbps < 0 else (1 - SHARE) * c.kbps + SHARE * sample
    error = c.kbps - sample
    c.variance = (1 - SHARE) * c.variance + SHARE * error * error / max(c.kbps, 1.0)
    c.variance = min(max(c.variance, VARIANCE_MIN), VARIANCE_MAX)


cdef int64_t link_capacity_bps(const LinkCapacity *c) noexcept nogil:
    return -1 if c.kbps < 0 else <int64_t>(c.kbps * 1000)


cdef int64_t link_capacity_lower_bps(const LinkCapacity *c) noexcept nogil:
    if c.kbps < 0:
        return 0
    return <int64_t>(max(c.kbps - DEVIATIONS * sqrt(c.variance * c.kbps), 0.0) * 1000)


cdef int64_t link_capacity_upper_bps(const LinkCapacity *c) noexcept nogil:
    if c.kbps < 0:
        return ANY_BPS
    return <int64_t>((c.kbps + DEVIATIONS * sqrt(c.variance * c.kbps)) * 1000)


# ---- the Python face

cdef int64_t BPS_MAX = <int64_t>1 << 50


@cython.final
cdef class LinkCapacityFace:
    """Rates at overuse in, the link's capacity out."""
    cdef LinkCapacity capacity

    def __cinit__(self):
        link_capacity_init(&self.capacity)

    def overused(self, int64_t acked_bps):
        """The link was overused while `acked_bps` got through.

        Raises:
            ValueError: the rate is not 0..2**50.
        """
        if not 0 <= acked_bps <= BPS_MAX:
            raise ValueError("rate out of range")
        link_capacity_overused(&self.capacity, acked_bps)

    def forget(self):
        """It is another link now."""
        link_capacity_forget(&self.capacity)

    @property
    def bps(self):
        """The estimate, bits per second; -1: none."""
        return link_capacity_bps(&self.capacity)

    @property
    def bounds_bps(self):
        """(lower, upper): what does not contradict the estimate; (0, 2**62) without one."""
        return link_capacity_lower_bps(&self.capacity), link_capacity_upper_bps(&self.capacity)
