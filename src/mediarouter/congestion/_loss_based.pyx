"""The loss-based limit on a send-side estimate, after libwebrtc's second loss-based estimator (mid 2025).

Theory of operation
With each observation that congestion/_loss_model closes, a few bandwidths are tried: 1.02, 1 and 0.95 times the
present one, the acknowledged rate (of a sender that its application limits only while padding proves a rise), and the
delay-based estimate where that is higher. The one that explains the observations best is taken, then bounded:

- it does not rise while the average loss is above the inherent loss that explains it;
- after loss, it grows by 1.3 in a window of 300 ms at most, and not above 1.5 times the acknowledged rate, 1.2 times
  where little more than the rate of the last hold comes through;
- loss above 5 % bounds it at once, by 100 kbps / (loss - 5 %); the acknowledged rate is its floor, what was carried
  is not taken away.

Where the result is the delay-based estimate, or the maximum, loss limits nothing. Below these, the state is decreasing
or increasing. A decrease begins a hold of 300 ms, twice as long each next time, up to a minute, in which the estimate
stays at or below the rate it fell to, lest it runs into the same loss again; reaching the delay-based estimate ends
that. An increase asks for padding up to the target, for two seconds, or while it rises: a sender that does not send its
target cannot prove it.

What is told is bounded once more, by the delay-based estimate and the configured limits, since the floor may be above.

Cost: most observations lost nothing, with the delay-based estimate being the limit. Without loss the objective rises
with bandwidth (inherent loss sinks to its minimum, each probability falls, the preference grows), so that the search
would end at the delay-based estimate or the maximum, or within the same kilobit below; it is left out. What it would
find is told between observations too, where libwebrtc is up to 250 ms late.
"""

cimport cython
from libc.math cimport llround
from libc.stdint cimport int64_t, uint32_t
from mediarouter.congestion._loss_model cimport (
    loss_model_feasible,
    loss_model_fit,
    loss_model_forget,
    loss_model_init,
    loss_model_objective,
    loss_model_packet,
    loss_model_report,
    loss_model_set_parameters,
)
from mediarouter.congestion._loss_parameters cimport (
    LOSS_CANDIDATES_MAX,
    loss_parameters_dict,
    loss_parameters_init,
    loss_parameters_set,
)

cdef enum:
    WINDOW_LIMIT_MIN_BPS = 5000    # a window of growth always lets this through
    TRIED_MAX = LOSS_CANDIDATES_MAX + 3

cdef int64_t RATE_MAX_BPS = <int64_t>1 << 40
cdef int64_t UNLIMITED_BPS = <int64_t>1 << 52
cdef int64_t NEVER_US = -(<int64_t>1 << 61)


cdef inline int64_t times(int64_t bps, double factor) noexcept nogil:
    return llround(min(<double>bps * factor, <double>UNLIMITED_BPS))


cdef inline int64_t rate_of(int64_t bps) noexcept nogil:
    return min(max(bps, 0), RATE_MAX_BPS)


cdef void loss_based_init(LossBased *l, int64_t start_bps, int64_t min_bps, int64_t max_bps) noexcept nogil:
    loss_model_init(&l.model)
    l.start_bps = rate_of(start_bps)
    l.min_bps = rate_of(min_bps)
    l.max_bps = max(rate_of(max_bps), l.min_bps)
    begin(l)


cdef void loss_based_set_parameters(LossBased *l, const LossParameters *p) noexcept nogil:
    loss_model_set_parameters(&l.model, p)
    begin(l)


cdef void begin(LossBased *l) noexcept nogil:
    l.channel.bandwidth_bps = -1
    l.channel.inherent_loss = l.model.parameters.inherent_loss_start
    l.chosen = l.channel
    l.verdict = LOSS_DELAY_LIMITED
    l.verdict_bps = 0
    l.delay_bps = -1
    l.acked_bps = -1
    l.window_since_us = NEVER_US
    l.window_limit_bps = UNLIMITED_BPS
    l.searches = 0
    end_hold(l)
    tell(l)


cdef void end_hold(LossBased *l) noexcept nogil:
    l.hold.until_us = NEVER_US
    l.hold.next_us = l.model.parameters.hold_us
    l.hold.rate_bps = UNLIMITED_BPS
    end_padding(l)


cdef void end_padding(LossBased *l) noexcept nogil:
    l.padding.since_us = NEVER_US
    l.padding.rate_bps = -1


cdef void loss_based_set_limits(LossBased *l, int64_t min_bps, int64_t max_bps) noexcept nogil:
    l.min_bps = rate_of(min_bps)
    l.max_bps = max(rate_of(max_bps), l.min_bps)
    tell(l)


cdef void loss_based_set_estimate(LossBased *l, int64_t bps) noexcept nogil:
    l.channel.bandwidth_bps = rate_of(bps)
    l.verdict = LOSS_DELAY_LIMITED
    l.verdict_bps = l.channel.bandwidth_bps
    tell(l)


cdef void loss_based_forget(LossBased *l, int64_t bps, int64_t now_us) noexcept nogil:
    loss_model_forget(&l.model, now_us)
    l.window_since_us = NEVER_US
    l.window_limit_bps = UNLIMITED_BPS
    end_hold(l)
    loss_based_set_estimate(l, bps)


cdef void loss_based_set_acked(LossBased *l, int64_t acked_bps) noexcept nogil:
    if acked_bps >= 0:
        l.acked_bps = rate_of(acked_bps)


cdef void loss_based_packet(LossBased *l, uint32_t number, int64_t send_us, int size_bytes,
                            bint received) noexcept nogil:
    loss_model_packet(&l.model, number, send_us, size_bytes, received)


cdef bint loss_based_ready(const LossBased *l) noexcept nogil:
    return l.channel.bandwidth_bps >= 0 and l.model.count >= l.model.parameters.observations_min


cdef int64_t loss_based_update(LossBased *l, int64_t delay_bps, bint in_alr, int64_t now_us) noexcept nogil:
    l.delay_bps = rate_of(delay_bps) if delay_bps >= 0 else -1
    if loss_model_report(&l.model):
        judge(l, in_alr)
    tell(l)
    return l.target_bps


# ---- what is told

cdef inline int64_t delay_limit(const LossBased *l) noexcept nogil:
    return l.delay_bps if l.delay_bps >= 0 else UNLIMITED_BPS


# Loss has no say: the delay-based estimate is the limit at once
cdef inline bint is_silent(const LossBased *l) noexcept nogil:
    return l.verdict == LOSS_DELAY_LIMITED and l.model.lost_bytes == 0 and l.delay_bps >= 0


cdef void tell(LossBased *l) noexcept nogil:
    cdef int64_t bps = l.verdict_bps
    l.state = l.verdict
    if not loss_based_ready(l):
        l.state = LOSS_DELAY_LIMITED
        bps = l.delay_bps if l.delay_bps >= 0 else l.channel.bandwidth_bps
        if bps < 0:
            bps = l.start_bps
    elif is_silent(l):
        bps = l.delay_bps
    l.target_bps = max(min(bps, min(delay_limit(l), l.max_bps)), l.min_bps)


# ---- an observation

cdef void judge(LossBased *l, bint in_alr) noexcept nogil:
    cdef LossChannel best
    if l.channel.bandwidth_bps < 0:
        if l.delay_bps < 0:
            return
        l.channel.bandwidth_bps = l.delay_bps
        l.verdict = LOSS_DELAY_LIMITED
        l.verdict_bps = l.delay_bps
    if is_silent(l):
        follow_delay(l)
        return
    best = search(l, in_alr)
    l.chosen = best
    hold_back(l, &best)
    settle(l, &best)


cdef void follow_delay(LossBased *l) noexcept nogil:
    l.verdict_bps = max(min(l.delay_bps, l.max_bps), lower_bound(l))
    l.channel.bandwidth_bps = l.verdict_bps
    l.channel.inherent_loss = 0.0              # as low as its bounds allow, when it is used next
    end_hold(l)


cdef inline bint is_limited(const LossBased *l) noexcept nogil:
    return l.verdict != LOSS_DELAY_LIMITED


cdef inline int64_t lower_bound(const LossBased *l) noexcept nogil:
    cdef double factor = l.model.parameters.acked_floor_factor
    return max(times(l.acked_bps, factor) if l.acked_bps >= 0 else 0, l.min_bps)


cdef int64_t upper_bound(const LossBased *l) noexcept nogil:
    cdef double excess = l.model.average_loss - l.model.parameters.bound_loss_offset
    if excess <= 0.0:
        return l.max_bps
    return llround(min(<double>l.model.parameters.bound_balance_bps / excess, <double>UNLIMITED_BPS))


cdef inline bint padding_proves(const LossBased *l) noexcept nogil:
    return (l.model.parameters.padding_us > 0
            and l.padding.since_us + l.model.parameters.padding_us >= l.model.last_send_us)


cdef int collect(const LossBased *l, bint in_alr, int64_t *tried_bps) noexcept nogil:
    cdef const LossParameters *p = &l.model.parameters
    cdef int count = 0
    cdef int i
    while count < p.candidate_count:
        tried_bps[count] = times(l.channel.bandwidth_bps, p.candidate_factors[count])
        count += 1
    if l.acked_bps >= 0 and p.acked_factor > 0.0 and (not in_alr or padding_proves(l)):
        tried_bps[count] = times(l.acked_bps, p.acked_factor)
        count += 1
    if l.delay_bps > l.channel.bandwidth_bps:
        tried_bps[count] = l.delay_bps
        count += 1
    if in_alr and p.bound_in_alr and l.channel.bandwidth_bps > upper_bound(l):
        tried_bps[count] = upper_bound(l)
        count += 1
    for i in range(count):
        tried_bps[i] = min(tried_bps[i], max(l.channel.bandwidth_bps, ceiling(l)))
    return count


cdef inline int64_t ceiling(const LossBased *l) noexcept nogil:
    if is_limited(l) and l.window_limit_bps < UNLIMITED_BPS:
        return l.window_limit_bps
    return l.max_bps


cdef LossChannel search(LossBased *l, bint in_alr) noexcept nogil:
    cdef int64_t tried_bps[TRIED_MAX]
    cdef LossChannel best = l.channel
    cdef LossChannel candidate
    cdef double objective
    cdef double highest = 0.0
    cdef int i
    l.searches += 1
    for i in range(collect(l, in_alr, tried_bps)):
        candidate.bandwidth_bps = tried_bps[i]
        candidate.inherent_loss = loss_model_feasible(&l.model, l.channel.inherent_loss, tried_bps[i])
        loss_model_fit(&l.model, &candidate)
        objective = loss_model_objective(&l.model, &candidate)
        if i == 0 or objective > highest:
            highest = objective
            best = candidate
    return best


# What keeps the best candidate from rising
cdef void hold_back(const LossBased *l, LossChannel *best) noexcept nogil:
    cdef const LossParameters *p = &l.model.parameters
    if p.no_rise_above_inherent_loss and l.model.average_loss > best.inherent_loss:
        best.bandwidth_bps = min(best.bandwidth_bps, l.channel.bandwidth_bps)
    if not is_limited(l):
        return
    if l.window_since_us + p.window_us > l.model.last_send_us:
        best.bandwidth_bps = min(best.bandwidth_bps, l.window_limit_bps)
    if l.acked_bps >= 0 and is_rise(l, l.channel.bandwidth_bps, best.bandwidth_bps):
        bound_by_acked(l, best)


cdef void bound_by_acked(const LossBased *l, LossChannel *best) noexcept nogil:
    cdef const LossParameters *p = &l.model.parameters
    cdef double factor = p.ramp_factor
    if l.hold.rate_bps < UNLIMITED_BPS and l.acked_bps < times(l.hold.rate_bps, p.hold_threshold):
        factor = p.ramp_factor_in_hold
    best.bandwidth_bps = max(min(best.bandwidth_bps, times(l.acked_bps, factor)), l.channel.bandwidth_bps)
    if l.verdict == LOSS_DECREASING and best.bandwidth_bps == l.channel.bandwidth_bps:
        best.bandwidth_bps += 1                # so that the state turns, and padding is asked for


cdef bint is_rise(const LossBased *l, int64_t old_bps, int64_t new_bps) noexcept nogil:
    if not is_limited(l):
        return False
    return old_bps < new_bps or (old_bps == new_bps and l.verdict != LOSS_DECREASING)


# ---- the verdict

cdef void settle(LossBased *l, const LossChannel *best) noexcept nogil:
    cdef int64_t bounded_bps = max(min(best.bandwidth_bps, min(upper_bound(l), delay_limit(l))), lower_bound(l))
    cdef bint limits = bounded_bps < delay_limit(l)
    l.channel = best[0]
    if bounded_bps < best.bandwidth_bps:
        l.channel.bandwidth_bps = bounded_bps
        l.channel.inherent_loss = 0.0
    elif l.model.parameters.acked_floor_factor > 0.0:
        l.channel.bandwidth_bps = max(l.channel.bandwidth_bps, lower_bound(l))
    if l.verdict == LOSS_DECREASING and l.hold.until_us > l.model.last_send_us and limits:
        if l.model.parameters.acked_floor_factor > 0.0:
            l.hold.rate_bps = max(l.hold.rate_bps, lower_bound(l))
        l.verdict_bps = min(l.hold.rate_bps, bounded_bps)
        return
    limits = limits and bounded_bps < l.max_bps
    if not limits:
        l.verdict = LOSS_DELAY_LIMITED
        end_hold(l)
    elif is_rise(l, l.verdict_bps, bounded_bps) and may_keep_rising(l, bounded_bps):
        rise(l, bounded_bps)
    else:
        fall(l, bounded_bps)
    l.verdict_bps = bounded_bps
    open_window(l)


cdef bint may_keep_rising(const LossBased *l, int64_t bps) noexcept nogil:
    return (l.verdict != LOSS_INCREASING_WITH_PADDING or l.model.parameters.padding_us == 0
            or padding_proves(l) or l.padding.rate_bps < bps)


cdef void rise(LossBased *l, int64_t bps) noexcept nogil:
    if l.model.parameters.padding_us == 0:
        l.verdict = LOSS_INCREASING
        return
    l.verdict = LOSS_INCREASING_WITH_PADDING
    if bps > l.padding.rate_bps:
        l.padding.rate_bps = bps
        l.padding.since_us = l.model.last_send_us


cdef void fall(LossBased *l, int64_t bps) noexcept nogil:
    cdef const LossParameters *p = &l.model.parameters
    if l.verdict != LOSS_DECREASING and p.hold_growth > 0.0:
        l.hold.until_us = l.model.last_send_us + l.hold.next_us
        l.hold.next_us = <int64_t>min(l.hold.next_us * p.hold_growth, <double>p.hold_max_us)
        l.hold.rate_bps = bps
    end_padding(l)
    l.verdict = LOSS_DECREASING


# A window of growth follows the one before
cdef void open_window(LossBased *l) noexcept nogil:
    if is_limited(l) and l.window_since_us + l.model.parameters.window_us < l.model.last_send_us:
        l.window_limit_bps = max(
            times(l.channel.bandwidth_bps, l.model.parameters.window_factor), WINDOW_LIMIT_MIN_BPS)
        l.window_since_us = l.model.last_send_us


# ---- the Python face

cdef int64_t TIME_MAX_US = <int64_t>1 << 60

STATES = ("delay_limited", "increasing", "decreasing", "increasing_with_padding")


cdef object known(int64_t bps):
    return None if bps < 0 or bps >= UNLIMITED_BPS else bps


@cython.final
cdef class LossLimiter:
    """What loss says of the bandwidth of a send path: a limit on the delay-based estimate.

    Args:
        start_bps: what is told until a delay-based estimate is known, bit/s.
        min_bps, max_bps: limits of what is told, 0..2**40 bit/s.
        parameters: what shall differ from the defaults, see `loss_parameters`.

    Raises:
        TypeError, ValueError: a rate or a parameter is out of its range, or a parameter is unknown.

    Source: libwebrtc's second loss-based estimator.
    """
    cdef LossBased limit

    def __cinit__(self, int64_t start_bps=300_000, int64_t min_bps=5_000, int64_t max_bps=30_000_000, **parameters):
        cdef LossParameters wanted
        check_limits(min_bps, max_bps)
        if not 0 <= start_bps <= RATE_MAX_BPS:
            raise ValueError("start_bps must be 0..2**40")
        loss_parameters_init(&wanted)
        loss_parameters_set(&wanted, parameters)
        loss_based_init(&self.limit, start_bps, min_bps, max_bps)
        loss_based_set_parameters(&self.limit, &wanted)

    def set_limits(self, int64_t min_bps, int64_t max_bps):
        """Other limits, 0 <= min_bps <= max_bps <= 2**40.

        Raises:
            ValueError: they are not.
        """
        check_limits(min_bps, max_bps)
        loss_based_set_limits(&self.limit, min_bps, max_bps)

    def set_estimate(self, int64_t bps):
        """An estimate from elsewhere instead of the own one, 0..2**40 bit/s.

        Raises:
            ValueError: it is out of range.
        """
        if not 0 <= bps <= RATE_MAX_BPS:
            raise ValueError("an estimate must be 0..2**40 bit/s")
        loss_based_set_estimate(&self.limit, bps)

    def forget(self, int64_t bps, int64_t now_us):
        """Begin anew with this estimate, 0..2**40 bit/s: packets sent before `now_us` count no more.

        Raises:
            ValueError: it is out of range.
        """
        if not 0 <= bps <= RATE_MAX_BPS:
            raise ValueError("an estimate must be 0..2**40 bit/s")
        loss_based_forget(&self.limit, bps, now_us)

    def set_acked(self, int64_t acked_bps):
        """The rate known to have arrived, bit/s. It counts from the next observation on; negative: not known."""
        loss_based_set_acked(&self.limit, acked_bps)

    def on_packet(self, int64_t number, int64_t send_us, int size_bytes, bint received):
        """One packet of a report, see `LossObservations.on_packet`.

        Raises:
            ValueError: the time is out of range.
        """
        if not -TIME_MAX_US < send_us < TIME_MAX_US:
            raise ValueError("send time out of range")
        loss_based_packet(&self.limit, <uint32_t>(number & 0xFFFFFFFF), send_us, size_bytes, received)

    def update(self, delay_bps, bint in_alr, int64_t now_us=0):
        """A report is complete.

        Args:
            delay_bps: the delay-based estimate, bit/s; None: not known.
            in_alr: the application is what limits the rate.
            now_us: for likeness with the other parts of the estimator; the sending times are the clock here.

        Returns:
            The limit, bit/s: between min_bps and max_bps, and not above delay_bps unless that is below min_bps.
        """
        return loss_based_update(&self.limit, -1 if delay_bps is None else delay_bps, in_alr, now_us)

    @property
    def target_bps(self):
        """The limit as told last, bit/s."""
        return self.limit.target_bps

    @property
    def state(self):
        """One of "delay_limited", "increasing", "decreasing", "increasing_with_padding"."""
        return STATES[self.limit.state]

    @property
    def is_ready(self):
        """Are there observations enough, and an estimate to begin with? Else loss limits nothing."""
        return loss_based_ready(&self.limit)

    @property
    def average_loss(self):
        """Share of the bytes that was lost of late, 0..1, the worst and the best observation left out."""
        return self.limit.model.average_loss

    @property
    def channel(self):
        """The present explanation: (bandwidth in bit/s, None if not known; inherent loss 0..1)."""
        return known(self.limit.channel.bandwidth_bps), self.limit.channel.inherent_loss

    @property
    def chosen(self):
        """What the last search found, before the bounds: (bandwidth in bit/s, None: none was made; inherent loss)."""
        return known(self.limit.chosen.bandwidth_bps), self.limit.chosen.inherent_loss

    @property
    def growth_limit_bps(self):
        """What the present window of growth after loss allows, bit/s; None: all."""
        return known(self.limit.window_limit_bps)

    @property
    def hold_bps(self):
        """The rate of the last hold, bit/s; None: there was none since loss limited nothing."""
        return known(self.limit.hold.rate_bps)

    @property
    def searches(self):
        """Observations that took the search of candidates."""
        return self.limit.searches

    @property
    def parameters(self):
        """All parameters, by name."""
        return loss_parameters_dict(&self.limit.model.parameters)

    @property
    def memory_size(self):
        """Bytes that it takes inside a viewer's block."""
        return sizeof(LossBased)


cdef int check_limits(int64_t min_bps, int64_t max_bps) except -1:
    if not 0 <= min_bps <= max_bps <= RATE_MAX_BPS:
        raise ValueError("limits must be 0 <= min_bps <= max_bps <= 2**40")
    return 0
