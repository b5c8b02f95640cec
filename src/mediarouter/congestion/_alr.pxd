# Whether a viewer is sent less than its link would carry (an application-limited region); `_alr.pyx` tells how.
from libc.stdint cimport int64_t

cdef struct Alr:
    int64_t since_us               # application-limited since then; -1: not
    int64_t rate_bps               # at which the budget fills: 65 % of the estimate
    int64_t level                  # of the budget, in millionths of a bit; negative: more was sent than filled
    int64_t last_us                # of the packet before; -1: none yet

cdef void alr_init(Alr *a, int64_t estimate_bps) noexcept nogil
cdef void alr_set_estimate(Alr *a, int64_t bps) noexcept nogil
# A packet went out. 0 bytes: nothing did, just time goes on.
cdef void alr_sent(Alr *a, int size_bytes, int64_t now_us) noexcept nogil
