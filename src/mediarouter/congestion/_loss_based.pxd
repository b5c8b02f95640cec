# What loss says of the bandwidth: the loss-based limit on a send-side estimate. Sans-IO; its clock are the sending
# times of the packets reported.
from libc.stdint cimport int64_t, uint32_t
from mediarouter.congestion._loss_model cimport LossChannel, LossModel
from mediarouter.congestion._loss_parameters cimport LossParameters

cdef enum:
    LOSS_DELAY_LIMITED             # loss sets no limit of its own
    LOSS_INCREASING
    LOSS_DECREASING
    LOSS_INCREASING_WITH_PADDING   # padding up to the target is asked for, to prove the rise

cdef struct LossHold:
    int64_t until_us
    int64_t next_us                # how long the next one lasts
    int64_t rate_bps               # which the estimate may not exceed meanwhile

cdef struct LossPadding:
    int64_t since_us
    int64_t rate_bps               # -1: none

cdef struct LossBased:
    int state                      # as told: LOSS_DELAY_LIMITED until there are observations enough
    int64_t target_bps             # as told by the last update, or by loss_based_set_estimate
    LossModel model
    LossChannel channel            # the best explanation so far, bounded
    LossChannel chosen             # of the last search, before the bounds; bandwidth -1: none was made
    int verdict                    # the state of the last observation
    int64_t verdict_bps
    int64_t start_bps
    int64_t min_bps
    int64_t max_bps
    int64_t delay_bps              # -1: not known
    int64_t acked_bps              # -1: not known
    LossHold hold
    LossPadding padding
    int64_t window_since_us        # of the growth window after loss
    int64_t window_limit_bps
    int64_t searches               # observations that took the search of candidates

# What is told until a delay-based estimate is known: start_bps. min_bps <= max_bps.
cdef void loss_based_init(LossBased *l, int64_t start_bps, int64_t min_bps, int64_t max_bps) noexcept nogil
# Other parameters, which must be free of flaws; all but the limits begins anew.
cdef void loss_based_set_parameters(LossBased *l, const LossParameters *p) noexcept nogil
cdef void loss_based_set_limits(LossBased *l, int64_t min_bps, int64_t max_bps) noexcept nogil
# An estimate from elsewhere (a saved one, a test) instead of the own one; not needed when a probe raises the
# delay-based estimate, which arrives with the next update.
cdef void loss_based_set_estimate(LossBased *l, int64_t bps) noexcept nogil
# The link has changed, and what it was is no longer of interest: begin anew with this estimate
cdef void loss_based_forget(LossBased *l, int64_t bps, int64_t now_us) noexcept nogil
# Acknowledged rate; negative: nothing new is known
cdef void loss_based_set_acked(LossBased *l, int64_t acked_bps) noexcept nogil
# Packets of one report, lost or received
cdef void loss_based_packet(LossBased *l, uint32_t number, int64_t send_us, int size_bytes,
                            bint received) noexcept nogil
# Once a report after its packets: the limit that loss puts on the estimate, between the limits, and not above delay_bps
# (-1: not known) unless that is below min_bps. `now_us` is not looked at: see above.
cdef int64_t loss_based_update(LossBased *l, int64_t delay_bps, bint in_alr, int64_t now_us) noexcept nogil
# Are there observations enough, and an estimate to begin with?
cdef bint loss_based_ready(const LossBased *l) noexcept nogil
