# What can be tuned in the loss-based estimate, in one struct; congestion/_loss_model and _loss_based read it.
from libc.stdint cimport int64_t

cdef enum:
    LOSS_CANDIDATES_MAX = 4        # factors that may be tried on the present bandwidth
    LOSS_OBSERVATIONS_MAX = 32

cdef struct LossParameters:
    # what is tried
    double candidate_factors[LOSS_CANDIDATES_MAX]
    int candidate_count
    double acked_factor            # of the acknowledged rate, tried as well
    bint bound_in_alr              # try the bound that loss sets, where the application is what limits
    # what is observed
    int observations               # remembered
    int observations_min           # before any verdict
    int64_t observation_us         # of sending time, at least, in each
    double sending_rate_smoothing  # share of the observation before
    double age_weight              # of an observation, to the power of its age, in the objective
    # the objective
    double inherent_loss_start
    double inherent_loss_min
    double inherent_loss_offset    # its upper bound: offset + balance / bandwidth
    int64_t inherent_loss_balance_bps
    int newton_iterations
    double newton_step
    double bandwidth_bias          # preference for bandwidth, a kilobit per second
    double log_bandwidth_bias      # and for its logarithm
    double preference_loss         # average loss above which less is preferred instead
    double preference_smoothing
    # average loss and the bound it sets at once: balance / (loss - offset)
    double bound_age_weight
    double bound_loss_offset
    int64_t bound_balance_bps
    double burst_factor            # a worst observation sent this much faster than the median is no mere spike
    # recovery
    bint no_rise_above_inherent_loss
    double acked_floor_factor      # of the acknowledged rate, below which loss never cuts; 0: no floor
    double ramp_factor             # of the acknowledged rate, above which the bandwidth does not rise after loss
    double ramp_factor_in_hold
    double hold_threshold          # in hold: the acknowledged rate is below this much of the hold rate
    double window_factor           # growth in one window after loss
    int64_t window_us
    int64_t hold_us                # the first hold; each next one lasts hold_growth times as long
    int64_t hold_max_us
    double hold_growth             # 0: no hold
    int64_t padding_us             # how long padding may prove a rise; 0: none asked for

cdef void loss_parameters_init(LossParameters *p) noexcept nogil
# What is wrong with them, as a text; NULL: nothing
cdef const char *loss_parameters_flaw(const LossParameters *p) noexcept nogil
# For the Python faces: set the fields that `values` names
cdef int loss_parameters_set(LossParameters *p, dict values) except -1
cdef dict loss_parameters_dict(const LossParameters *p)
