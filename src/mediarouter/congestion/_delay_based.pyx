"""The limit that the delay of a path puts on its rate (draft-ietf-rmcat-gcc-02 section 5, at the sender).

Theory of operation
Each packet that a report says was received goes to the groups (_inter_arrival); each closed group moves the trend
line (_trendline), which says how the path is used. After the packets of a report the rate control (_aimd) is asked
once. While the path is overused the rate is cut as often as that may be; before anything is known to get through, it
is halved instead. Else a probe's result becomes the estimate as it is, and without one the rate goes on by itself.

Two seconds without feedback are a new beginning for groups and trend, not for the rate.
"""

cimport cython
from libc.stdint cimport int64_t
from mediarouter.congestion._aimd cimport (
    aimd_init,
    aimd_may_reduce,
    aimd_period_us,
    aimd_set_estimate,
    aimd_set_rtt,
    aimd_update,
)
from mediarouter.congestion._inter_arrival cimport inter_arrival_add, inter_arrival_init
from mediarouter.congestion._trendline cimport (
    USAGE_NORMAL,
    USAGE_OVER,
    USAGE_UNDER,
    trendline_add,
    trendline_init,
    trendline_set_min_span,
)

cdef enum:
    SILENCE_US = 2000000           # of feedback; what comes after it has nothing to do with what was before

cdef int64_t LONG_AGO_US = -(<int64_t>1 << 61)


cdef void delay_based_init(DelayBased *d, int64_t start_bps, int64_t min_bps, int64_t max_bps) noexcept nogil:
    inter_arrival_init(&d.ia)
    trendline_init(&d.line)
    aimd_init(&d.aimd, start_bps, min_bps, max_bps)
    d.heard_us = LONG_AGO_US
    d.heard = d.recovered = False


cdef void begin_anew(DelayBased *d) noexcept nogil:
    cdef int64_t min_span_us = d.line.min_span_us
    inter_arrival_init(&d.ia)
    trendline_init(&d.line)
    trendline_set_min_span(&d.line, min_span_us)


cdef void delay_based_packet(DelayBased *d, int64_t send_us, int64_t arrival_us, int64_t now_us,
                             int size_bytes) noexcept nogil:
    cdef int64_t send_delta_us, arrival_delta_us
    cdef int before
    if now_us - d.heard_us > SILENCE_US:
        begin_anew(d)
    d.heard_us = now_us
    d.heard = True
    if inter_arrival_add(&d.ia, send_us, arrival_us, now_us, size_bytes, &send_delta_us, &arrival_delta_us):
        before = d.line.usage
        trendline_add(&d.line, arrival_delta_us, send_delta_us, arrival_us)
        if before == USAGE_UNDER and d.line.usage == USAGE_NORMAL:
            d.recovered = True


cdef inline bint update_overused(DelayBased *d, int64_t acked_bps, bint in_alr, int64_t now_us) noexcept nogil:
    if not aimd_may_reduce(&d.aimd, acked_bps, now_us):
        return False
    if acked_bps >= 0:
        aimd_update(&d.aimd, USAGE_OVER, acked_bps, in_alr, now_us)
    else:
        aimd_set_estimate(&d.aimd, d.aimd.target_bps // 2, now_us)
    return True


cdef void delay_based_update(DelayBased *d, int64_t acked_bps, int64_t probe_bps, bint in_alr, int64_t now_us,
                             DelayResult *result) noexcept nogil:
    result.updated = result.probe = result.recovered_from_overuse = False
    if d.heard:
        if d.line.usage == USAGE_OVER:
            result.updated = update_overused(d, acked_bps, in_alr, now_us)
        elif probe_bps >= 0:
            aimd_set_estimate(&d.aimd, probe_bps, now_us)
            result.updated = result.probe = True
        else:
            result.updated = aimd_update(&d.aimd, d.line.usage, acked_bps, in_alr, now_us) >= 0
            result.recovered_from_overuse = d.recovered
    d.heard = d.recovered = False
    result.target_bps = d.aimd.target_bps
    result.usage = d.line.usage


# ---- the Python face

USAGES = ("normal", "over", "under")
cdef int64_t TIME_MAX_US = <int64_t>1 << 60
cdef int64_t BPS_MAX = <int64_t>1 << 50


@cython.final
cdef class DelayBasedFace:
    """Received packets in, the rate that their delay allows out.

    Args:
        start_bps: -1: no estimate yet.
        min_bps: 1 at least; `max_bps`: not below it, 2**50 at most.
        min_span_us: what the trend line's window takes at least, 0..33,000,000; see _trendline.

    Raises:
        ValueError: an argument is out of range.
    """
    cdef DelayBased delay

    def __cinit__(self, int64_t start_bps=-1, int64_t min_bps=5000, int64_t max_bps=30000000, int64_t min_span_us=0):
        if not (1 <= min_bps <= max_bps <= BPS_MAX and -1 <= start_bps <= BPS_MAX):
            raise ValueError("1 <= min_bps <= max_bps <= 2**50, start_bps -1..2**50")
        if not 0 <= min_span_us <= 33000000:
            raise ValueError("min_span_us must be 0..33000000")
        delay_based_init(&self.delay, start_bps, min_bps, max_bps)
        trendline_set_min_span(&self.delay.line, min_span_us)

    def packet(self, int64_t send_us, int64_t arrival_us, int64_t now_us, int size_bytes):
        """Take one received packet, in order of sending numbers.

        Args:
            send_us: when it was sent, of the sender's clock.
            arrival_us: when it arrived, of the receiver's.
            now_us: when the report about it was read, of the sender's.
            size_bytes: its size.

        Raises:
            ValueError: a time is 2**60 or more from zero.
        """
        for time_us in (send_us, arrival_us, now_us):
            if not -TIME_MAX_US < <int64_t>time_us < TIME_MAX_US:
                raise ValueError("time out of range")
        delay_based_packet(&self.delay, send_us, arrival_us, now_us, size_bytes)

    def update(self, int64_t acked_bps, int64_t now_us, int64_t probe_bps=-1, bint in_alr=False):
        """Look at the rate, once a report, after its packets.

        Args:
            acked_bps: what gets through; -1: unknown. `probe_bps`: what a probe measured; -1: nothing.
            now_us: of the sender's clock.
            in_alr: the application sends less than it may.

        Returns:
            (target_bps, updated, probe, recovered_from_overuse, usage), as _delay_based.pxd says; usage is "normal",
            "over" or "under".

        Raises:
            ValueError: a rate or the time is out of range.
        """
        cdef DelayResult result
        if not (-1 <= acked_bps <= BPS_MAX and -1 <= probe_bps <= BPS_MAX):
            raise ValueError("rate must be -1..2**50")
        if not -TIME_MAX_US < now_us < TIME_MAX_US:
            raise ValueError("time out of range")
        delay_based_update(&self.delay, acked_bps, probe_bps, in_alr, now_us, &result)
        return (result.target_bps, bool(result.updated), bool(result.probe), bool(result.recovered_from_overuse),
                USAGES[result.usage])

    def packet_many(self, int64_t send_us, int count, int64_t step_us, int64_t delay_us):
        """Take `count` packets sent `step_us` apart, arriving `delay_us` later; the next sending. For benchmarks."""
        cdef int _
        with nogil:
            for _ in range(count):
                delay_based_packet(&self.delay, send_us, send_us + delay_us, send_us, 1200)
                send_us += step_us
        return send_us

    def set_rtt(self, int64_t rtt_us):
        """The round trip, microseconds; it counts within 0..60 s."""
        aimd_set_rtt(&self.delay.aimd, rtt_us)

    @property
    def target_bps(self):
        """Bits per second; -1 before the first estimate."""
        return self.delay.aimd.target_bps

    @property
    def period_us(self):
        """How long the rate takes from a decrease back up."""
        return aimd_period_us(&self.delay.aimd)

    @property
    def points(self):
        """How many the trend line's window holds."""
        return self.delay.line.count

    @property
    def memory_size(self):
        """Bytes that it takes in a viewer's block."""
        return sizeof(DelayBased)
