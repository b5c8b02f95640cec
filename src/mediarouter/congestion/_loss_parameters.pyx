"""What can be tuned in the loss-based estimate; the defaults are those of libwebrtc's second one (mid 2025).

Theory of operation
The estimate explains what was lost by two causes: a link that loses a share of everything (inherent loss), and sending
above what the link carries. The parameters say how far back it looks, which bandwidths it tries, how much loss it
takes for inherent, and how it comes back after a cut. Those that matter most where links lose packets by nature are
the two pairs of offset and balance: loss below the offset cuts nothing, and of more the bandwidth is bounded by
balance / (loss - offset), so that 10 % loss stops at 2 Mbps with 5 % and 100 kbps.

Left out of what libwebrtc can set, since its defaults turn it off or nobody would turn it off: counting packets
instead of bytes, acceleration of the ramp, not bounding the best candidate, trying the acknowledged rate of a sender
that its application limits.
"""


cdef void loss_parameters_init(LossParameters *p) noexcept nogil:
    p.candidate_factors[0] = 1.02
    p.candidate_factors[1] = 1.0
    p.candidate_factors[2] = 0.95
    p.candidate_factors[3] = 1.0
    p.candidate_count = 3
    p.acked_factor = 1.0
    p.bound_in_alr = False
    p.observations = 15
    p.observations_min = 3
    p.observation_us = 250000
    p.sending_rate_smoothing = 0.0
    p.age_weight = 0.9
    init_objective(p)
    init_recovery(p)


cdef void init_objective(LossParameters *p) noexcept nogil:
    p.inherent_loss_start = 0.01
    p.inherent_loss_min = 0.001
    p.inherent_loss_offset = 0.05
    p.inherent_loss_balance_bps = 100000
    p.newton_iterations = 1
    p.newton_step = 0.75
    p.bandwidth_bias = 0.0002
    p.log_bandwidth_bias = 0.02
    p.preference_loss = 0.2
    p.preference_smoothing = 0.002
    p.bound_age_weight = 0.9
    p.bound_loss_offset = 0.05
    p.bound_balance_bps = 100000
    p.burst_factor = 2.0


cdef void init_recovery(LossParameters *p) noexcept nogil:
    p.no_rise_above_inherent_loss = True
    p.acked_floor_factor = 1.0
    p.ramp_factor = 1.5
    p.ramp_factor_in_hold = 1.2
    p.hold_threshold = 1.3
    p.window_factor = 1.3
    p.window_us = 300000
    p.hold_us = 300000
    p.hold_max_us = 60000000
    p.hold_growth = 2.0
    p.padding_us = 2000000


# NaN fails each of these
cdef inline bint within(double value, double low, double high) noexcept nogil:
    return low <= value <= high


cdef inline bint share(double value) noexcept nogil:
    return 0.0 <= value < 1.0


cdef inline bint weight(double value) noexcept nogil:
    return 0.0 < value <= 1.0


cdef enum:
    FACTOR_MAX = 1000
    RATE_MAX_BPS = 1000000000000
    TIME_MAX_US = 3600000000


cdef const char *flaw_of_candidates(const LossParameters *p) noexcept nogil:
    cdef int i
    if not 1 <= p.candidate_count <= LOSS_CANDIDATES_MAX:
        return b"candidate_factors must be 1..4 numbers"
    for i in range(p.candidate_count):
        if not 0.0 < p.candidate_factors[i] <= FACTOR_MAX:
            return b"each of candidate_factors must be above 0, and 1000 at most"
    if not within(p.acked_factor, 0.0, 1.0):
        return b"acked_factor must be 0..1"
    return NULL


cdef const char *flaw_of_observations(const LossParameters *p) noexcept nogil:
    if not 2 <= p.observations <= LOSS_OBSERVATIONS_MAX:
        return b"observations must be 2..32"
    if p.observations_min < 1:
        return b"observations_min must be 1 or more"
    if not 1 <= p.observation_us <= TIME_MAX_US:
        return b"observation_us must be 1 us .. 1 hour"
    if not share(p.sending_rate_smoothing):
        return b"sending_rate_smoothing must be in [0, 1)"
    if not weight(p.age_weight) or not weight(p.bound_age_weight):
        return b"age_weight and bound_age_weight must be in (0, 1]"
    return NULL


cdef const char *flaw_of_objective(const LossParameters *p) noexcept nogil:
    if not share(p.inherent_loss_start) or not share(p.inherent_loss_min):
        return b"inherent_loss_start and inherent_loss_min must be in [0, 1)"
    if not p.inherent_loss_min <= p.inherent_loss_offset < 1.0:
        return b"inherent_loss_offset must be in [inherent_loss_min, 1)"
    if not 1 <= p.inherent_loss_balance_bps <= RATE_MAX_BPS or not 1 <= p.bound_balance_bps <= RATE_MAX_BPS:
        return b"inherent_loss_balance_bps and bound_balance_bps must be 1 bit/s .. 1 Tbit/s"
    if not 1 <= p.newton_iterations <= 16:
        return b"newton_iterations must be 1..16"
    if not 0.0 < p.newton_step <= FACTOR_MAX:
        return b"newton_step must be above 0, and 1000 at most"
    if not within(p.bandwidth_bias, 0.0, FACTOR_MAX) or not within(p.log_bandwidth_bias, 0.0, FACTOR_MAX):
        return b"bandwidth_bias and log_bandwidth_bias must be 0..1000"
    if not share(p.preference_loss) or not share(p.bound_loss_offset):
        return b"preference_loss and bound_loss_offset must be in [0, 1)"
    if not weight(p.preference_smoothing):
        return b"preference_smoothing must be in (0, 1]"
    if not within(p.burst_factor, 0.0, FACTOR_MAX):
        return b"burst_factor must be 0..1000"
    return NULL


cdef const char *flaw_of_recovery(const LossParameters *p) noexcept nogil:
    if not within(p.acked_floor_factor, 0.0, FACTOR_MAX):
        return b"acked_floor_factor must be 0..1000"
    if not 1.0 < p.ramp_factor <= FACTOR_MAX or not 1.0 < p.ramp_factor_in_hold <= FACTOR_MAX:
        return b"ramp_factor and ramp_factor_in_hold must be above 1, and 1000 at most"
    if not within(p.hold_threshold, 0.0, FACTOR_MAX) or not within(p.hold_growth, 0.0, FACTOR_MAX):
        return b"hold_threshold and hold_growth must be 0..1000"
    if not 0.0 < p.window_factor <= FACTOR_MAX:
        return b"window_factor must be above 0, and 1000 at most"
    if not 1 <= p.window_us <= TIME_MAX_US:
        return b"window_us must be 1 us .. 1 hour"
    if not 0 <= p.hold_us <= p.hold_max_us or not p.hold_max_us <= TIME_MAX_US:
        return b"hold_us must be 0 .. hold_max_us, and that 1 hour at most"
    if not 0 <= p.padding_us <= TIME_MAX_US:
        return b"padding_us must be 0 .. 1 hour"
    return NULL


cdef const char *loss_parameters_flaw(const LossParameters *p) noexcept nogil:
    cdef const char *flaw = flaw_of_candidates(p)
    if flaw == NULL:
        flaw = flaw_of_observations(p)
    if flaw == NULL:
        flaw = flaw_of_objective(p)
    if flaw == NULL:
        flaw = flaw_of_recovery(p)
    return flaw


# ---- the Python face

cdef dict loss_parameters_dict(const LossParameters *p):
    cdef LossParameters copy = p[0]
    values = dict(copy)
    count = values.pop("candidate_count")
    values["candidate_factors"] = tuple(values["candidate_factors"][:count])
    return values


cdef int loss_parameters_set(LossParameters *p, dict values) except -1:
    cdef const char *flaw
    known = loss_parameters_dict(p)
    for name in values:
        if name not in known:
            raise TypeError(f"{name!r} is no parameter of the loss-based estimate")
    known.update(values)
    factors = tuple(known["candidate_factors"])
    known["candidate_count"] = len(factors)
    known["candidate_factors"] = [*factors[:LOSS_CANDIDATES_MAX], *([1.0] * (LOSS_CANDIDATES_MAX - len(factors)))]
    cdef LossParameters wanted = known
    flaw = loss_parameters_flaw(&wanted)
    if flaw != NULL:
        raise ValueError((<bytes>flaw).decode())
    p[0] = wanted
    return 0


def loss_parameters(**values):
    """All parameters of the loss-based estimate by name: the defaults, and what is given instead of them.

    Raises:
        TypeError: there is no such parameter, or it has another type.
        ValueError: a value is out of its range.
    """
    cdef LossParameters parameters
    loss_parameters_init(&parameters)
    loss_parameters_set(&parameters, values)
    return loss_parameters_dict(&parameters)
