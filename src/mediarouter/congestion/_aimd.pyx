"""The rate that the delay of a path allows: additive increase, multiplicative decrease (draft-ietf-rmcat-gcc-02
section 5.5).

Theory of operation
While the path is used normally the rate grows: by 8 % a second as long as nobody knows what the link can carry, and
near its known capacity by about half a packet per response time. It grows to 1.5 times what gets through and 10
kbit/s, no further: what is not sent cannot be judged. For the same reason it does not grow at all while the
application sends less than it may (`in_alr`); only probes raise it then.

Overuse cuts it to 85 % of what gets through, less 5 kbit/s, so that the queue empties; then it holds until the path
is normal again. What got through at that moment is a sample of the link's capacity. Where that is no cut, 85 % of the
capacity may be. After a cut the path has one round trip (10..200 ms) to react, unless less than half of the rate gets
through. While a queue empties (underuse) the rate holds.

Before the first estimate the rate stands at its maximum, and nothing is told; it becomes what gets through after 5 s,
or what a probe measured, or the result of a cut.
"""

cimport cython
from libc.math cimport pow
from libc.stdint cimport int64_t
from mediarouter.congestion._link_capacity cimport (
    link_capacity_bps,
    link_capacity_forget,
    link_capacity_init,
    link_capacity_lower_bps,
    link_capacity_overused,
    link_capacity_upper_bps,
)
from mediarouter.congestion._trendline cimport USAGE_OVER, USAGE_UNDER

cdef enum:
    RTT_US = 200000                # until one is known
    RTT_MAX_US = 60000000
    REDUCE_AFTER_MIN_US = 10000
    REDUCE_AFTER_MAX_US = 200000
    FIRST_ESTIMATE_US = 5000000    # of throughput, before it is one
    BACKOFF_PERCENT = 85
    BACKOFF_BPS = 5000             # and so much less, where there is more
    HEADROOM_BPS = 10000           # on top of 1.5 times what gets through
    GROWTH_MIN_BPS = 1000          # an update, while the capacity is unknown
    INCREASE_MIN_BPS = 4000        # a second, near the capacity
    FRAMES = 30                    # a second
    PACKET_BITS = 9600             # 1,200 bytes
    RESPONSE_US = 100000           # of the detector, beyond the round trip
    PERIOD_US = 3000000
    PERIOD_MIN_US = 2000000
    PERIOD_MAX_US = 50000000

cdef double GROWTH = 1.08          # a second
cdef int64_t BPS_MAX = <int64_t>1 << 50
cdef int64_t NEVER_US = -(<int64_t>1 << 61)


cdef void aimd_init(Aimd *a, int64_t start_bps, int64_t min_bps, int64_t max_bps) noexcept nogil:
    a.target_bps = -1
    a.rate_bps = 0
    a.rtt_us = RTT_US
    a.changed_us = a.first_acked_us = NEVER_US
    a.last_decrease_bps = -1
    a.growing = False
    link_capacity_init(&a.capacity)
    aimd_set_limits(a, min_bps, max_bps)
    if start_bps >= 0:
        settle(a, start_bps)
    else:
        a.rate_bps = a.max_bps
    a.acked_bps = a.rate_bps


cdef void aimd_set_limits(Aimd *a, int64_t min_bps, int64_t max_bps) noexcept nogil:
    a.min_bps = min(max(min_bps, 1), BPS_MAX)
    a.max_bps = min(max(max_bps, a.min_bps), BPS_MAX)
    a.rate_bps = min(max(a.rate_bps, a.min_bps), a.max_bps)
    if a.target_bps >= 0:
        a.target_bps = a.rate_bps


cdef void aimd_set_rtt(Aimd *a, int64_t rtt_us) noexcept nogil:
    a.rtt_us = min(max(rtt_us, 0), <int64_t>RTT_MAX_US)


cdef inline void settle(Aimd *a, int64_t bps) noexcept nogil:
    a.target_bps = a.rate_bps = min(max(bps, a.min_bps), a.max_bps)


cdef void aimd_set_estimate(Aimd *a, int64_t bps, int64_t now_us) noexcept nogil:
    settle(a, bps)
    a.changed_us = now_us


cdef bint aimd_may_reduce(const Aimd *a, int64_t acked_bps, int64_t now_us) noexcept nogil:
    cdef int64_t after_us = min(max(a.rtt_us, <int64_t>REDUCE_AFTER_MIN_US), <int64_t>REDUCE_AFTER_MAX_US)
    if now_us - a.changed_us >= after_us:
        return a.target_bps >= 0 or acked_bps >= 0
    return acked_bps >= 0 and a.target_bps >= 0 and acked_bps < a.target_bps // 2


cdef int64_t aimd_increase_bps(const Aimd *a) noexcept nogil:
    cdef int64_t frame_bits = a.rate_bps // FRAMES
    cdef int64_t packets = max((frame_bits + PACKET_BITS - 1) // PACKET_BITS, 1)
    cdef int64_t response_us = 2 * (a.rtt_us + RESPONSE_US)
    return max(frame_bits // packets * 1000000 // response_us, <int64_t>INCREASE_MIN_BPS)


cdef int64_t aimd_period_us(const Aimd *a) noexcept nogil:
    if a.last_decrease_bps < 0:
        return PERIOD_US
    return min(max(<int64_t>(1e6 * a.last_decrease_bps / aimd_increase_bps(a)), <int64_t>PERIOD_MIN_US),
               <int64_t>PERIOD_MAX_US)


# ---- one update

cdef void grow(Aimd *a, bint in_alr, int64_t now_us) noexcept nogil:
    cdef int64_t limit_bps = a.acked_bps + a.acked_bps // 2 + HEADROOM_BPS
    cdef double seconds = max(now_us - a.changed_us, 0) / 1e6, more
    if a.acked_bps > link_capacity_upper_bps(&a.capacity):
        link_capacity_forget(&a.capacity)
    a.changed_us = now_us
    if in_alr or a.rate_bps >= limit_bps:
        return
    if link_capacity_bps(&a.capacity) >= 0:
        more = aimd_increase_bps(a) * seconds
    else:
        more = max(a.rate_bps * (pow(GROWTH, min(seconds, 1.0)) - 1), <double>GROWTH_MIN_BPS)
    settle(a, a.rate_bps + <int64_t>min(more, <double>(limit_bps - a.rate_bps)))


cdef void cut(Aimd *a, int64_t now_us) noexcept nogil:
    cdef int64_t before_bps = a.rate_bps, lower_bps = a.acked_bps * BACKOFF_PERCENT // 100
    if lower_bps > BACKOFF_BPS:
        lower_bps -= BACKOFF_BPS
    if lower_bps > before_bps and link_capacity_bps(&a.capacity) >= 0:
        lower_bps = link_capacity_bps(&a.capacity) * BACKOFF_PERCENT // 100
    lower_bps = min(lower_bps, before_bps)             # overuse never raises the rate
    if a.target_bps >= 0 and a.acked_bps < before_bps:
        a.last_decrease_bps = before_bps - lower_bps
    if a.acked_bps < link_capacity_lower_bps(&a.capacity):
        link_capacity_forget(&a.capacity)
    link_capacity_overused(&a.capacity, a.acked_bps)
    a.growing = False
    a.changed_us = now_us
    settle(a, lower_bps)


cdef void take_first_estimate(Aimd *a, int64_t acked_bps, int64_t now_us) noexcept nogil:
    if a.first_acked_us == NEVER_US:
        a.first_acked_us = now_us
    elif now_us - a.first_acked_us > FIRST_ESTIMATE_US:
        settle(a, acked_bps)


cdef int64_t aimd_update(Aimd *a, int usage, int64_t acked_bps, bint in_alr, int64_t now_us) noexcept nogil:
    if acked_bps >= 0:
        a.acked_bps = min(acked_bps, BPS_MAX)
        if a.target_bps < 0:
            take_first_estimate(a, a.acked_bps, now_us)
    if usage == USAGE_OVER:
        cut(a, now_us)
    elif a.target_bps < 0:
        pass
    elif usage == USAGE_UNDER:
        a.growing = False
    else:
        if not a.growing:
            a.growing = True
            a.changed_us = now_us
        grow(a, in_alr, now_us)
    return a.target_bps


# ---- the Python face

USAGES = {"normal": 0, "over": USAGE_OVER, "under": USAGE_UNDER}
cdef int64_t TIME_MAX_US = <int64_t>1 << 60


cdef int check_rate(int64_t bps) except -1:
    if not -1 <= bps <= BPS_MAX:
        raise ValueError("rate must be -1..2**50")
    return 0


cdef int check_time(int64_t now_us) except -1:
    if not -TIME_MAX_US < now_us < TIME_MAX_US:
        raise ValueError("time out of range")
    return 0


@cython.final
cdef class AimdFace:
    """Usage of the path and what gets through in, the rate that its delay allows out.

    Args:
        start_bps: -1: no estimate yet.
        min_bps: 1 at least; `max_bps`: not below it, 2**50 at most.

    Raises:
        ValueError: a rate is out of range.
    """
    cdef Aimd aimd

    def __cinit__(self, int64_t start_bps=-1, int64_t min_bps=5000, int64_t max_bps=30000000):
        check_rate(start_bps)
        if not 1 <= min_bps <= max_bps <= BPS_MAX:
            raise ValueError("1 <= min_bps <= max_bps <= 2**50")
        aimd_init(&self.aimd, start_bps, min_bps, max_bps)

    def update(self, usage, int64_t acked_bps, int64_t now_us, bint in_alr=False):
        """Change the rate, once a report.

        Args:
            usage: "normal", "over" or "under".
            acked_bps: what gets through; -1: unknown.
            now_us: of the sender's clock.
            in_alr: the application sends less than it may.

        Returns:
            The target, bits per second; -1 before the first estimate.

        Raises:
            KeyError: no such usage. ValueError: a rate or the time is out of range.
        """
        check_rate(acked_bps)
        check_time(now_us)
        return aimd_update(&self.aimd, USAGES[usage], acked_bps, in_alr, now_us)

    def set_estimate(self, int64_t bps, int64_t now_us):
        """Take a rate from elsewhere, within the limits. Raises ValueError: the rate or the time is out of range."""
        check_rate(bps)
        check_time(now_us)
        aimd_set_estimate(&self.aimd, bps, now_us)

    def set_limits(self, int64_t min_bps, int64_t max_bps):
        """Change them, and the rate where it is outside. Raises ValueError: as the constructor does."""
        if not 1 <= min_bps <= max_bps <= BPS_MAX:
            raise ValueError("1 <= min_bps <= max_bps <= 2**50")
        aimd_set_limits(&self.aimd, min_bps, max_bps)

    def set_rtt(self, int64_t rtt_us):
        """The round trip, microseconds; it counts within 0..60 s."""
        aimd_set_rtt(&self.aimd, rtt_us)

    def may_reduce(self, int64_t acked_bps, int64_t now_us):
        """Whether an overuse that goes on should cut the rate again. Raises ValueError: as `update` does."""
        check_rate(acked_bps)
        check_time(now_us)
        return bool(aimd_may_reduce(&self.aimd, acked_bps, now_us))

    @property
    def target_bps(self):
        """Bits per second; -1 before the first estimate."""
        return self.aimd.target_bps

    @property
    def increase_bps(self):
        """Bits per second more each second, near the capacity."""
        return aimd_increase_bps(&self.aimd)

    @property
    def period_us(self):
        """How long the rate takes from a decrease back up."""
        return aimd_period_us(&self.aimd)

    @property
    def capacity_bps(self):
        """What the link is known to carry; -1: unknown."""
        return link_capacity_bps(&self.aimd.capacity)
