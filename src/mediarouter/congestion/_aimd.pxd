# The rate that the delay of a path allows: slowly up while its queue stays empty, at once down when it fills.
from libc.stdint cimport int64_t
from mediarouter.congestion._link_capacity cimport LinkCapacity

cdef struct Aimd:
    int64_t target_bps             # -1 before the first estimate
    int64_t min_bps
    int64_t max_bps
    int64_t rate_bps               # the target, or `max_bps` before there is one
    int64_t acked_bps              # known last; the rate where none was
    int64_t rtt_us
    int64_t changed_us             # when the rate was changed, or growth began
    int64_t first_acked_us         # when something had got through for the first time
    int64_t last_decrease_bps      # by how much; -1: never
    bint growing                   # else on hold, until the path is used normally
    LinkCapacity capacity

# No estimate to begin with where `start_bps` is -1: the first one is what gets through after 5 s, or a probe's.
cdef void aimd_init(Aimd *a, int64_t start_bps, int64_t min_bps, int64_t max_bps) noexcept nogil
cdef void aimd_set_limits(Aimd *a, int64_t min_bps, int64_t max_bps) noexcept nogil
cdef void aimd_set_rtt(Aimd *a, int64_t rtt_us) noexcept nogil
# From elsewhere: a probe, say
cdef void aimd_set_estimate(Aimd *a, int64_t bps, int64_t now_us) noexcept nogil
# The new target; `usage` as in _trendline, `acked_bps` -1 when unknown
cdef int64_t aimd_update(Aimd *a, int usage, int64_t acked_bps, bint in_alr, int64_t now_us) noexcept nogil
# Whether an overuse that goes on should cut the rate again; without `acked_bps`, that is -1, after a time alone.
cdef bint aimd_may_reduce(const Aimd *a, int64_t acked_bps, int64_t now_us) noexcept nogil
# Bits per second more each second, near the capacity
cdef int64_t aimd_increase_bps(const Aimd *a) noexcept nogil
# How long the rate takes from a decrease back up: 2..50 s, 3 s before the first one
cdef int64_t aimd_period_us(const Aimd *a) noexcept nogil
