# Whether the delay of a path rises, falls or stays: the slope of a line through it, against a threshold that adapts.
from libc.stdint cimport int32_t, int64_t

cdef enum:
    USAGE_NORMAL, USAGE_OVER, USAGE_UNDER      # of the path: its queue stays as it is, fills, empties
    POINTS_CAPACITY = 64

cdef struct Trendline:
    int usage
    int deltas                     # seen, up to 1000
    int count                      # points in the window
    int oldest                     # place of the first of them
    int over_samples               # in a row above the threshold
    int64_t min_span_us            # what a window takes in time at least; 0: it is counted in points alone
    int64_t origin_us              # the arrival that x = 0 stands for
    int64_t origin_q16             # the smoothed delay that y = 0 stands for
    int64_t delay_us               # against the first group, accumulated
    int64_t smoothed_q16           # microseconds in 1/65536
    int64_t over_us                # of sending time above the threshold; -1: not above
    int64_t adapted_us             # arrival at which the threshold was looked at last
    int64_t sum_x
    int64_t sum_y
    int64_t sum_xx
    int64_t sum_xy
    double trend                   # the slope found last
    double modified_trend          # as it is compared with the threshold
    double threshold
    int32_t x[POINTS_CAPACITY]     # arrival, microseconds from the origin
    int32_t y[POINTS_CAPACITY]     # smoothed delay, eighths of a microsecond from the origin

cdef void trendline_init(Trendline *t) noexcept nogil
# A window of 20 groups that takes at least this long, of 60 groups at most; 0, as it begins: of 20 groups.
cdef void trendline_set_min_span(Trendline *t, int64_t min_span_us) noexcept nogil
cdef void trendline_add(Trendline *t, int64_t arrival_delta_us, int64_t send_delta_us,
                        int64_t arrival_us) noexcept nogil
