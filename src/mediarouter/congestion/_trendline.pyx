"""Whether a path's queue fills (draft-ietf-rmcat-gcc-02 section 5.4, with the slope of a line as the filter).

Theory of operation
Each group of packets gives one point: x is its arrival, y the delay added up since the first group, smoothed (0.9
old, 0.1 new). The slope of the least-squares line through the last 20 points is by how much more is sent than goes
through, as a share: 0.025 means 2.5 % too much. Multiplied by 4 and by the number of groups seen, 60 at most, it is
compared with a threshold. Above it for more than 10 ms of sending time, in more than one group, and not falling: the
path is overused; below its negative: a queue empties. The threshold follows what the slope does on its own, between 6
and 600, slowly up and fast down, and not at all where the slope leaves it far behind: that is a link that lost its
capacity, not jitter.

The sums that a slope is made of (x, y, xx, xy) are kept up as points come and go, so that a group costs the same
whatever the window. They are exact: integers, of microseconds from an origin, and the origin moves before they could
overflow (|x| < 2**25, |y| < 2**26, 61 points: less than 2**63). A path whose delay changes by 8 s inside one window
begins a new one. Where the receiver's clock was set, the arrivals say so, and the deltas do not: the origin moves
along.

Where many streams share a path, 20 groups pass in 100 ms, and their slope is mostly noise. A window may therefore be
asked to take a time too.
"""

cimport cython
from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t

cdef enum:
    WINDOW_POINTS = 20
    POINTS_MAX = 60
    DELTAS_FULL = 60               # from so many on the slope counts in full
    DELTAS_MAX = 1000
    X_MAX = 1 << 25                # 33 s
    Y_MAX = 1 << 26                # 8.4 s in eighths of a microsecond
    Y_SHIFT = 13                   # from 1/65536 to eighths
    Y_UNITS = 8
    CLOCK_STEP_US = 3000000        # as in _inter_arrival
    OVER_US = 10000                # of sending, until it is overuse
    ADAPT_US = 100000              # the longest step of the threshold

cdef double GAIN = 4.0
cdef double THRESHOLD_START = 12.5
cdef double THRESHOLD_MIN = 6.0
cdef double THRESHOLD_MAX = 600.0
cdef double ADAPT_UP = 0.0087      # a millisecond
cdef double ADAPT_DOWN = 0.039
cdef double ADAPT_REACH = 15.0     # a slope so far above the threshold does not move it
cdef int64_t DELAY_MAX_US = <int64_t>1 << 40


cdef void trendline_init(Trendline *t) noexcept nogil:
    t.usage = USAGE_NORMAL
    t.deltas = 0
    t.over_samples = 0
    t.over_us = -1
    t.min_span_us = 0
    t.delay_us = t.smoothed_q16 = 0
    t.adapted_us = 0
    t.trend = t.modified_trend = 0
    t.threshold = THRESHOLD_START
    clear_window(t, 0)


cdef void trendline_set_min_span(Trendline *t, int64_t min_span_us) noexcept nogil:
    t.min_span_us = min(max(min_span_us, 0), <int64_t>X_MAX)


# ---- the window

cdef void clear_window(Trendline *t, int64_t arrival_us) noexcept nogil:
    t.count = t.oldest = 0
    t.sum_x = t.sum_y = t.sum_xx = t.sum_xy = 0
    t.origin_us = arrival_us
    t.origin_q16 = t.smoothed_q16


cdef inline void sum_up(Trendline *t, int64_t x, int64_t y, int64_t sign) noexcept nogil:
    t.sum_x += sign * x
    t.sum_y += sign * y
    t.sum_xx += sign * x * x
    t.sum_xy += sign * x * y


cdef inline bint fits(int64_t x, int64_t y) noexcept nogil:
    return -X_MAX < x < X_MAX and -Y_MAX < y < Y_MAX


# Move the origin to the oldest point. False: the others are too far from it.
cdef bint move_origin(Trendline *t) noexcept nogil:
    cdef int64_t x0, y0, x, y
    cdef int i, place
    if t.count == 0:
        return False
    x0, y0 = t.x[t.oldest], t.y[t.oldest]
    t.origin_us += x0
    t.origin_q16 += y0 * (1 << Y_SHIFT)
    t.sum_x = t.sum_y = t.sum_xx = t.sum_xy = 0
    for i in range(t.count):
        place = (t.oldest + i) & (POINTS_CAPACITY - 1)
        x, y = t.x[place] - x0, t.y[place] - y0
        if not fits(x, y):
            return False
        t.x[place], t.y[place] = <int32_t>x, <int32_t>y
        sum_up(t, x, y, 1)
    return True


# The receiver's clock was set where arrivals went on by far more, or less, than the delta says.
cdef inline void follow_clock(Trendline *t, int64_t arrival_delta_us, int64_t arrival_us) noexcept nogil:
    cdef int64_t expected, step
    if t.count and -X_MAX < arrival_delta_us < X_MAX:
        expected = t.x[(t.oldest + t.count - 1) & (POINTS_CAPACITY - 1)] + arrival_delta_us
        step = arrival_us - t.origin_us - expected
        if step >= CLOCK_STEP_US or step <= -CLOCK_STEP_US:
            t.origin_us = arrival_us - expected


cdef void add_point(Trendline *t, int64_t arrival_us) noexcept nogil:
    cdef int64_t x = arrival_us - t.origin_us, y = (t.smoothed_q16 - t.origin_q16) >> Y_SHIFT
    cdef int place
    if t.count == 0 or not fits(x, y):
        if not move_origin(t):
            clear_window(t, arrival_us)
        x, y = arrival_us - t.origin_us, (t.smoothed_q16 - t.origin_q16) >> Y_SHIFT
        if not fits(x, y):
            clear_window(t, arrival_us)
            x = y = 0
    place = (t.oldest + t.count) & (POINTS_CAPACITY - 1)
    t.x[place], t.y[place] = <int32_t>x, <int32_t>y
    t.count += 1
    sum_up(t, x, y, 1)


cdef inline int64_t span_from(const Trendline *t, int first) noexcept nogil:
    cdef int newest = (t.oldest + t.count - 1) & (POINTS_CAPACITY - 1)
    return t.x[newest] - t.x[(t.oldest + first) & (POINTS_CAPACITY - 1)]


cdef inline void drop_points(Trendline *t) noexcept nogil:
    while t.count > WINDOW_POINTS and (t.min_span_us == 0 or t.count > POINTS_MAX or span_from(t, 1) >= t.min_span_us):
        sum_up(t, t.x[t.oldest], t.y[t.oldest], -1)
        t.oldest = (t.oldest + 1) & (POINTS_CAPACITY - 1)
        t.count -= 1


cdef inline bint window_full(const Trendline *t) noexcept nogil:
    return t.count >= WINDOW_POINTS and (
        t.min_span_us == 0 or t.count >= POINTS_MAX or span_from(t, 0) >= t.min_span_us)


# The slope, or what it was where all points have one arrival
cdef inline double slope(const Trendline *t) noexcept nogil:
    cdef int64_t spread = t.count * t.sum_xx - t.sum_x * t.sum_x
    if spread == 0:
        return t.trend
    return <double>(t.count * t.sum_xy - t.sum_x * t.sum_y) / (<double>spread * Y_UNITS)


# ---- the detector

cdef inline void adapt(Trendline *t, int64_t arrival_us) noexcept nogil:
    cdef double size = fabs(t.modified_trend)
    cdef int64_t step_us = min(max(arrival_us - t.adapted_us, 0), <int64_t>ADAPT_US)
    t.adapted_us = arrival_us
    if size > t.threshold + ADAPT_REACH:
        return
    t.threshold += (ADAPT_DOWN if size < t.threshold else ADAPT_UP) * (size - t.threshold) * (step_us / 1000.0)
    t.threshold = min(max(t.threshold, THRESHOLD_MIN), THRESHOLD_MAX)


cdef inline void exceed(Trendline *t, double trend, int64_t send_delta_us) noexcept nogil:
    if t.over_us < 0:
        t.over_us = send_delta_us // 2          # the line was crossed somewhere since the last group
    else:
        t.over_us = min(t.over_us + send_delta_us, DELAY_MAX_US)
    t.over_samples += 1
    if t.over_us > OVER_US and t.over_samples > 1 and trend >= t.trend:
        t.over_us = 0
        t.over_samples = 0
        t.usage = USAGE_OVER


cdef inline void detect(Trendline *t, double trend, int64_t send_delta_us, int64_t arrival_us) noexcept nogil:
    if t.deltas < 2:
        return
    if t.deltas == 2:
        t.adapted_us = arrival_us
    t.modified_trend = min(t.deltas, <int>DELTAS_FULL) * trend * GAIN
    if t.modified_trend > t.threshold:
        exceed(t, trend, min(max(send_delta_us, 0), DELAY_MAX_US))
    else:
        t.over_us = -1
        t.over_samples = 0
        t.usage = USAGE_UNDER if t.modified_trend < -t.threshold else USAGE_NORMAL
    t.trend = trend
    adapt(t, arrival_us)


cdef void trendline_add(Trendline *t, int64_t arrival_delta_us, int64_t send_delta_us,
                        int64_t arrival_us) noexcept nogil:
    if t.deltas < DELTAS_MAX:
        t.deltas += 1
    t.delay_us = min(max(t.delay_us + arrival_delta_us - send_delta_us, -DELAY_MAX_US), DELAY_MAX_US)
    t.smoothed_q16 = (9 * t.smoothed_q16 + 65536 * t.delay_us) // 10
    follow_clock(t, arrival_delta_us, arrival_us)
    add_point(t, arrival_us)
    drop_points(t)
    detect(t, slope(t) if window_full(t) else t.trend, send_delta_us, arrival_us)


# ---- the Python face

USAGES = ("normal", "over", "under")
cdef int64_t TIME_MAX_US = <int64_t>1 << 60


@cython.final
cdef class TrendlineFace:
    """Deltas of groups in, usage of the path out.

    Args:
        min_span_us: what a window of 20 groups takes at least, up to 60 groups; 0: it is 20 groups.

    Raises:
        ValueError: `min_span_us` is not 0..33,000,000.
    """
    cdef Trendline line

    def __cinit__(self, int64_t min_span_us=0):
        if not 0 <= min_span_us <= 33000000:
            raise ValueError("min_span_us must be 0..33000000")
        trendline_init(&self.line)
        trendline_set_min_span(&self.line, min_span_us)

    def add(self, int64_t arrival_delta_us, int64_t send_delta_us, int64_t arrival_us):
        """Take one group's deltas to the group before.

        Args:
            arrival_delta_us: by how much later it arrived; `send_delta_us`: by how much later it was sent.
            arrival_us: of the receiver's clock.

        Returns:
            The usage of the path: "normal", "over" or "under".

        Raises:
            ValueError: a time is 2**60 or more from zero, or a delta more than 2**61.
        """
        if not -TIME_MAX_US < arrival_us < TIME_MAX_US:
            raise ValueError("time out of range")
        if not (-2 * TIME_MAX_US <= arrival_delta_us <= 2 * TIME_MAX_US
                and -2 * TIME_MAX_US <= send_delta_us <= 2 * TIME_MAX_US):
            raise ValueError("delta out of range")
        trendline_add(&self.line, arrival_delta_us, send_delta_us, arrival_us)
        return USAGES[self.line.usage]

    def add_many(self, int64_t arrival_us, int count, int64_t step_us, int64_t jitter_us):
        """Take `count` groups `step_us` apart, every other one late by `jitter_us`. For benchmarks.

        Returns:
            The last arrival.
        """
        cdef int i
        with nogil:
            for i in range(count):
                arrival_us += step_us
                trendline_add(&self.line, step_us + (jitter_us if i & 1 else -jitter_us), step_us, arrival_us)
        return arrival_us

    @property
    def usage(self):
        """"normal", "over" or "under"."""
        return USAGES[self.line.usage]

    @property
    def trend(self):
        """The slope: more sent than goes through, as a share."""
        return self.line.trend

    @property
    def modified_trend(self):
        """The slope as it is compared with the threshold."""
        return self.line.modified_trend

    @property
    def threshold(self):
        """What the slope is compared with, 6..600; 12.5 to begin with."""
        return self.line.threshold

    @property
    def points(self):
        """How many the window holds."""
        return self.line.count
