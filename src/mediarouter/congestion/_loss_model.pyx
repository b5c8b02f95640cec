"""The likelihood behind the loss-based estimate (the model of libwebrtc's second loss-based estimator).

Theory of operation
Reports are summed up until the packets told span 250 ms of sending time; that makes an observation: bytes sent, bytes
lost, sending rate. The last fifteen are kept in a ring, and weigh 0.9 to the power of their age.

A channel (bandwidth B, inherent loss L) lets a packet sent at rate S be lost with probability
L + (1 - L) * max(0, (S - B) / S). The objective of a channel is the logarithm of the likelihood of what was observed,
in bytes, plus a preference for bandwidth, which turns into one for less once the average loss is above 20 %. L is not
searched: one step of Newton's method moves it, and bounds keep it where loss may still be called inherent: much of it
at a low bandwidth, little at a high one.

The average loss leaves out the worst and the best observation, so that one burst of loss is a spike, unless the worst
was sent twice as fast as the median: then it was likely ours.

As in libwebrtc, the preference counts whole kilobits per second and the average whole bytes, which tells at low rates.
Its probabilities are not rounded here as they are there (the excess of S over B, to whole bits per second), which tells
where nearly all is lost.

A packet told as lost and later as received was late. Within the observation that is not yet closed it is forgiven, for
which the partial observation remembers the numbers of lost packets, as bits of a window of 4096 behind the newest lost
one. A number counts once in an observation. Here as there, numbers that come in no order cost memory nothing.
"""

cimport cython
from libc.math cimport fabs, llround, log
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset
from mediarouter.congestion._loss_parameters cimport loss_parameters_init, loss_parameters_set

cdef enum:
    MICROBITS = 8000000            # in a byte and second
    SIZE_MAX_BYTES = 1 << 20       # what is larger is no packet; sums cannot overflow

cdef double PROBABILITY_MIN = 1e-6
cdef double SENDING_MAX_BPS = 1e15
cdef int64_t NEVER_US = -(<int64_t>1 << 61)


cdef void loss_model_init(LossModel *m) noexcept nogil:
    cdef LossParameters parameters
    loss_parameters_init(&parameters)
    loss_model_set_parameters(m, &parameters)


cdef void loss_model_set_parameters(LossModel *m, const LossParameters *p) noexcept nogil:
    cdef int age
    memset(m, 0, sizeof(LossModel))
    m.since_us = NEVER_US
    m.parameters = p[0]
    m.weights[0] = 1.0
    m.bound_weights[0] = 1.0
    for age in range(1, LOSS_OBSERVATIONS_MAX):
        m.weights[age] = m.weights[age - 1] * p.age_weight
        m.bound_weights[age] = m.bound_weights[age - 1] * p.bound_age_weight


cdef void loss_model_forget(LossModel *m, int64_t now_us) noexcept nogil:
    memset(&m.partial, 0, sizeof(LossPartial))
    memset(m.ring, 0, sizeof(m.ring))
    m.count = m.lost_bytes = m.last_send_us = 0
    m.started = False
    m.average_loss = 0.0
    m.since_us = now_us


# ---- observations

cdef inline uint64_t bit_of(uint32_t number) noexcept nogil:
    return <uint64_t>1 << (number & 63)


cdef inline int word_of(uint32_t number) noexcept nogil:
    return (number & (LOST_NUMBERS_MAX - 1)) >> 6


cdef inline bint is_lost(const LossPartial *partial, uint32_t number) noexcept nogil:
    return (partial.newest_lost - number < LOST_NUMBERS_MAX
            and (partial.lost[word_of(number)] & bit_of(number)) != 0)


# Make `number` the newest: bits of numbers that leave the window are of numbers that come into it
cdef void advance(LossPartial *partial, uint32_t number) noexcept nogil:
    cdef uint32_t step = number - partial.newest_lost
    cdef uint32_t i
    if step >= LOST_NUMBERS_MAX:
        memset(partial.lost, 0, sizeof(partial.lost))
    else:
        for i in range(1, step + 1):
            partial.lost[word_of(partial.newest_lost + i)] &= ~bit_of(partial.newest_lost + i)
    partial.newest_lost = number


cdef bint add_lost(LossPartial *partial, uint32_t number) noexcept nogil:
    # False: told before
    if partial.lost_packets == 0:
        memset(partial.lost, 0, sizeof(partial.lost))
        partial.newest_lost = number
    elif is_lost(partial, number):
        return False
    elif <int32_t>(number - partial.newest_lost) > 0:
        advance(partial, number)
    if partial.newest_lost - number < LOST_NUMBERS_MAX:
        partial.lost[word_of(number)] |= bit_of(number)
    partial.lost_packets += 1
    return True


cdef void loss_model_packet(LossModel *m, uint32_t number, int64_t send_us, int size_bytes,
                            bint received) noexcept nogil:
    cdef LossPartial *partial = &m.partial
    if send_us < m.since_us:
        return
    size_bytes = min(max(size_bytes, 0), SIZE_MAX_BYTES)
    if partial.packets == 0 or send_us < partial.first_send_us:
        partial.first_send_us = send_us
    if partial.packets == 0 or send_us > partial.last_send_us:
        partial.last_send_us = send_us
    partial.packets += 1
    if not received:
        if add_lost(partial, number):
            partial.size_bytes += size_bytes
            partial.lost_bytes += size_bytes
    elif partial.lost_packets > 0 and is_lost(partial, number):
        partial.lost[word_of(number)] &= ~bit_of(number)
        partial.lost_packets -= 1
        partial.lost_bytes = max(partial.lost_bytes - size_bytes, 0) if partial.lost_packets else 0
    else:
        partial.size_bytes += size_bytes


cdef bint loss_model_report(LossModel *m) noexcept nogil:
    cdef LossPartial *partial = &m.partial
    cdef int64_t duration_us
    if partial.packets == 0:
        return False
    partial.packets = 0
    if not m.started:
        m.started = True
        m.last_send_us = partial.first_send_us
    duration_us = partial.last_send_us - m.last_send_us
    if duration_us < m.parameters.observation_us:
        return False
    m.last_send_us = partial.last_send_us
    close_observation(m, duration_us)
    m.average_loss = average_loss(m) if m.lost_bytes > 0 else 0.0
    return True


cdef void close_observation(LossModel *m, int64_t duration_us) noexcept nogil:
    cdef LossPartial *partial = &m.partial
    cdef LossObservation *observation = &m.ring[m.count % m.parameters.observations]
    cdef double sending_bps = <double>partial.size_bytes * MICROBITS / duration_us
    if m.count > 0:
        sending_bps += m.parameters.sending_rate_smoothing * (
            m.ring[(m.count - 1) % m.parameters.observations].sending_bps - sending_bps)
    m.lost_bytes += partial.lost_bytes - observation.lost_bytes
    observation.size_bytes = partial.size_bytes
    observation.lost_bytes = partial.lost_bytes
    observation.sending_bps = <int64_t>min(sending_bps, SENDING_MAX_BPS)
    m.count += 1
    partial.size_bytes = 0
    partial.lost_bytes = 0
    partial.lost_packets = 0


cdef inline int observed(const LossModel *m) noexcept nogil:
    return <int>min(m.count, m.parameters.observations)


# Of the observation at a place of the ring, in observations
cdef inline int age_of(const LossModel *m, int place) noexcept nogil:
    cdef int age = <int>((m.count - 1) % m.parameters.observations) - place
    return age if age >= 0 else age + m.parameters.observations


# ---- average loss

cdef double median_sending_bps(const LossModel *m) noexcept nogil:
    cdef int64_t sorted_bps[LOSS_OBSERVATIONS_MAX]
    cdef int64_t bps
    cdef int count = 0
    cdef int i, j
    for i in range(observed(m)):
        bps = m.ring[i].sending_bps
        if bps <= 0:
            continue
        j = count
        while j > 0 and sorted_bps[j - 1] > bps:
            sorted_bps[j] = sorted_bps[j - 1]
            j -= 1
        sorted_bps[j] = bps
        count += 1
    if count == 0:
        return 0.0
    if count % 2 == 0:
        return (sorted_bps[count // 2 - 1] + sorted_bps[count // 2]) / 2.0
    return sorted_bps[count // 2]


# Whole bytes, as they weigh at that place of the ring
cdef inline int64_t weighed(const LossModel *m, int place, int64_t size_bytes) noexcept nogil:
    return llround(m.bound_weights[age_of(m, place)] * size_bytes)


cdef double average_loss(const LossModel *m) noexcept nogil:
    cdef const LossObservation *observation
    cdef int worst = -1
    cdef int best = -1
    cdef double worst_loss = 0.0
    cdef double best_loss = 1.0
    cdef int64_t size = 0
    cdef int64_t lost = 0
    cdef double loss
    cdef int i
    for i in range(observed(m)):
        observation = &m.ring[i]
        size += weighed(m, i, observation.size_bytes)
        lost += weighed(m, i, observation.lost_bytes)
        loss = <double>observation.lost_bytes / observation.size_bytes if observation.size_bytes > 0 else 0.0
        if loss > worst_loss:
            worst, worst_loss = i, loss
        if loss < best_loss:
            best, best_loss = i, loss
    if size <= 0:
        return 0.0
    if m.count <= 3 or worst < 0 or (
            median_sending_bps(m) * m.parameters.burst_factor <= m.ring[worst].sending_bps):
        return <double>lost / size
    return without_extremes(m, worst, best, size, lost)


cdef double without_extremes(const LossModel *m, int worst, int best, int64_t size, int64_t lost) noexcept nogil:
    cdef int64_t rest_size = size - weighed(m, worst, m.ring[worst].size_bytes)
    cdef int64_t rest_lost = lost - weighed(m, worst, m.ring[worst].lost_bytes)
    if best >= 0 and best != worst:
        rest_size -= weighed(m, best, m.ring[best].size_bytes)
        rest_lost -= weighed(m, best, m.ring[best].lost_bytes)
    if rest_size <= 0:                         # nothing else was observed
        return <double>lost / size
    return <double>rest_lost / rest_size


# ---- likelihood

# By age, counted below zero in what lies before a turn of the ring
cdef inline double weight_at(const LossModel *m, int age) noexcept nogil:
    return m.weights[age if age >= 0 else age + m.parameters.observations]


cdef inline double loss_probability(const LossChannel *channel, int64_t sending_bps) noexcept nogil:
    cdef double probability = channel.inherent_loss
    if sending_bps > channel.bandwidth_bps:
        probability += (1.0 - channel.inherent_loss) * (
            <double>(sending_bps - channel.bandwidth_bps) / <double>sending_bps)
    return min(max(probability, PROBABILITY_MIN), 1.0 - PROBABILITY_MIN)


cdef double loss_model_feasible(const LossModel *m, double inherent_loss, int64_t bandwidth_bps) noexcept nogil:
    cdef double highest = 1.0
    if bandwidth_bps > 0:
        highest = m.parameters.inherent_loss_offset + (
            <double>m.parameters.inherent_loss_balance_bps / <double>bandwidth_bps)
    return min(max(inherent_loss, m.parameters.inherent_loss_min), min(highest, 1.0))


cdef void loss_model_fit(const LossModel *m, LossChannel *channel) noexcept nogil:
    cdef const LossObservation *observation
    cdef double first, second, probability, lost, received
    cdef int i, _
    cdef int newest = <int>((m.count - 1) % m.parameters.observations)
    for _ in range(m.parameters.newton_iterations):
        first = 0.0
        second = 0.0
        for i in range(observed(m)):
            observation = &m.ring[i]
            probability = loss_probability(channel, observation.sending_bps)
            lost = weight_at(m, newest - i) * observation.lost_bytes / probability
            received = weight_at(m, newest - i) * (observation.size_bytes - observation.lost_bytes) / (
                1.0 - probability)
            first += lost - received
            second -= lost / probability + received / (1.0 - probability)
        if second < 0.0:
            channel.inherent_loss -= m.parameters.newton_step * first / second
        channel.inherent_loss = loss_model_feasible(m, channel.inherent_loss, channel.bandwidth_bps)


# A byte's worth of preferring that bandwidth; of dispreferring it where more is lost than preference_loss
cdef inline double bandwidth_bias(const LossModel *m, int64_t bandwidth_bps) noexcept nogil:
    cdef double kbps = <double>((bandwidth_bps + 500) // 1000)
    cdef double margin = m.parameters.preference_loss - m.average_loss
    return (m.parameters.bandwidth_bias * kbps + m.parameters.log_bandwidth_bias * log(1.0 + kbps)) * (
        margin / (m.parameters.preference_smoothing + fabs(margin)))


cdef double loss_model_objective(const LossModel *m, const LossChannel *channel) noexcept nogil:
    cdef const LossObservation *observation
    cdef double bias = bandwidth_bias(m, channel.bandwidth_bps)
    cdef double objective = 0.0
    cdef double last = -1.0
    cdef double log_lost = 0.0
    cdef double log_received = 0.0
    cdef double probability, explained
    cdef int newest = <int>((m.count - 1) % m.parameters.observations)
    cdef int i
    for i in range(observed(m)):
        observation = &m.ring[i]
        probability = loss_probability(channel, observation.sending_bps)
        if probability != last:                # mostly it is the inherent loss
            last = probability
            log_lost = log(probability)
            log_received = log(1.0 - probability)
        explained = bias * observation.size_bytes + observation.lost_bytes * log_lost
        explained += (observation.size_bytes - observation.lost_bytes) * log_received
        objective += weight_at(m, newest - i) * explained
    return objective


# ---- the Python face

cdef int64_t TIME_MAX_US = <int64_t>1 << 60


@cython.final
cdef class LossObservations:
    """What was sent and lost of late, and how well a channel explains it.

    Args:
        parameters: what shall differ from the defaults, see `loss_parameters`.

    Raises:
        TypeError, ValueError: a parameter is unknown or out of its range.
    """
    cdef LossModel model

    def __cinit__(self, **parameters):
        cdef LossParameters wanted
        loss_parameters_init(&wanted)
        loss_parameters_set(&wanted, parameters)
        loss_model_set_parameters(&self.model, &wanted)

    def on_packet(self, int64_t number, int64_t send_us, int size_bytes, bint received):
        """One packet of a report.

        Args:
            number: of the packet, unwrapped or not: its low 32 bits count.
            send_us: when it was sent, microseconds of any clock, less than 2**60 from its zero.
            size_bytes: 0..2**20; what is outside is taken as the nearest of these.
            received: False: told as lost.

        Raises:
            ValueError: the time is out of range.
        """
        if not -TIME_MAX_US < send_us < TIME_MAX_US:
            raise ValueError("send time out of range")
        loss_model_packet(&self.model, <uint32_t>(number & 0xFFFFFFFF), send_us, size_bytes, received)

    def on_report(self):
        """The report is complete. True: it closed an observation."""
        return loss_model_report(&self.model)

    def fit(self, int64_t bandwidth_bps, double inherent_loss):
        """The inherent loss, 0..1, that explains the observations better, for that bandwidth and from that value on.

        Raises:
            ValueError: the bandwidth is negative.
        """
        cdef LossChannel channel
        if bandwidth_bps < 0:
            raise ValueError("bandwidth must not be negative")
        channel.bandwidth_bps = bandwidth_bps
        channel.inherent_loss = loss_model_feasible(&self.model, inherent_loss, bandwidth_bps)
        loss_model_fit(&self.model, &channel)
        return channel.inherent_loss

    def objective(self, int64_t bandwidth_bps, double inherent_loss):
        """How well that bandwidth (bit/s) and inherent loss (0..1) explain the observations: the higher, the better.

        Raises:
            ValueError: the bandwidth is negative.
        """
        cdef LossChannel channel
        if bandwidth_bps < 0:
            raise ValueError("bandwidth must not be negative")
        channel.bandwidth_bps = bandwidth_bps
        channel.inherent_loss = inherent_loss
        return loss_model_objective(&self.model, &channel)

    @property
    def average_loss(self):
        """Share of the bytes that was lost, 0..1, the worst and the best observation left out."""
        return self.model.average_loss

    @property
    def observations(self):
        """Those remembered, newest last: (bytes sent, bytes of them lost, sending rate in bit/s)."""
        cdef int size = self.model.parameters.observations
        rows = []
        for i in range(max(0, self.model.count - size), self.model.count):
            rows.append((self.model.ring[i % size].size_bytes, self.model.ring[i % size].lost_bytes,
                         self.model.ring[i % size].sending_bps))
        return rows
