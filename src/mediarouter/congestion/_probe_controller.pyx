"""When to probe a viewer's link for more than the estimate, and how fast.

Theory of operation
An estimate grows slowly by itself, and not at all while little is sent. A probe cluster, a run of at least five packets
and 15 ms at a higher rate, measures in one round trip what growth would take tens of seconds to find. Clusters are made
up by what follows, handed out by poll, one a call, and sent by whoever polls (`_prober` has their schedule).

Initial: at 3 and 6 times the start rate, as soon as the transport can send. A round that leads on waits a second for
its results: an estimate above 70 % of its last rate calls for another probe at twice the estimate, and so on.
Demand: what an allocator could use next is more than the estimate; `_probe_demand` has its rates and times. Rounds lead
on while the result, too, is above 70 %, until the demand itself is probed. A demand probe starts when the probe before,
of whatever kind, is answered or a second old.
Application-limited: every 5 s at twice the estimate, if so switched, or if more is allocated and no demand was ever
told. At once, at one and two times the allocation but no more than twice the estimate, when the allocation changes.
Recovery: the link is normal again within 5 s of a fall of the estimate below 66 %, and either it is or just was (3 s)
application-limited, or more is wanted: 85 % of the rate before, at most every 5 s.
Maximum: it was raised above the estimate: one probe at the new maximum.
Stagnation: more is allocated, no demand was ever told, and for 15 s the estimate has not grown by 5 % and nothing was
probed: twice the estimate. Between 60 and 70 % of use nothing else gets an estimate off the ground: too much is sent
for an application-limited region, too little for the estimate to grow by what is acknowledged. (A demand is probed
every 10 s at least, however much is sent.)

No probe is above the maximum or twice the allocation. None is made up where it could tell nothing, the cap being at the
estimate or below; none while the link is over- or underused, feedback is late, or loss makes the estimate fall (what
waits is dropped then), with the one exception that all is paused and nothing is measured; and none above 1.5 times the
estimate while that grows out of loss.

Results come from what the receiver says. One of a cluster that was not sent, or eight clusters ago, counts nothing; one
above the rate of the cluster counts as that rate; and no second sees more than eight clusters, whatever is said.
The figures are those of probe_controller in libwebrtc, but for demand and stagnation.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset
from mediarouter.congestion._face cimport check_time
from mediarouter.congestion._probe_demand cimport (
    probe_demand_charge,
    probe_demand_due_us,
    probe_demand_enough_bps,
    probe_demand_further_bps,
    probe_demand_hold,
    probe_demand_init,
    probe_demand_probed,
    probe_demand_rate_bps,
    probe_demand_set,
    probe_demand_set_estimate,
)

cdef enum:
    INITIAL                        # no probe yet
    WAITING                        # for results that may call for more
    COMPLETE

cdef enum:
    RATE_MAX_BPS = 2000000000
    MAX_UNKNOWN_BPS = 5000000
    FIRST_TIMES = 3                # of the start rate
    SECOND_TIMES = 6
    FURTHER_TIMES = 2              # of the estimate
    FURTHER_PERCENT = 70           # of a probe's rate, that an estimate must exceed
    LOSS_PERCENT = 150             # of the estimate, while it grows out of loss
    ALLOCATED_TIMES = 2
    DROP_PERCENT = 66
    RECOVERY_PERCENT = 85
    UNCERTAIN_PERCENT = 95         # of a probe's rate, that its result is expected to be
    GROWN_PERCENT = 105
    RESULT_WAIT_US = 1000000
    RESUME_WAIT_US = 700000        # for a result while all is paused
    ALR_INTERVAL_US = 5000000
    ALR_ENDED_US = 3000000
    DROP_US = 5000000              # so long a fall is remembered, and so long apart are probes after one
    STAGNANT_US = 15000000
    SECOND_US = 1000000
    CLUSTER_PACKETS = 5
    CLUSTER_US = 15000

cdef int64_t NEVER_US = -(<int64_t>1 << 60)
cdef int64_t NO_RATE_BPS = <int64_t>1 << 60      # above all estimates


cdef void probe_controller_init(ProbeController *p, int64_t start_bps, int64_t min_bps, int64_t max_bps,
                                int64_t now_us) noexcept nogil:
    memset(p, 0, sizeof(ProbeController))
    set_range(p, min_bps, max_bps)
    p.start_bps = min(max(start_bps, p.min_bps), p.max_bps)
    p.estimate_bps = p.grown_bps = p.start_bps
    p.alr_us = -1
    p.alr_ended_us = NEVER_US
    p.further_bps = NO_RATE_BPS
    p.launched_us = p.dropped_us = p.recovered_us = p.grown_us = now_us
    p.state = INITIAL
    p.available = True
    probe_demand_init(&p.demand, p.start_bps, now_us)


cdef void set_range(ProbeController *p, int64_t min_bps, int64_t max_bps) noexcept nogil:
    p.max_bps = min(max_bps, <int64_t>RATE_MAX_BPS) if max_bps > 0 else MAX_UNKNOWN_BPS
    p.min_bps = min(max(min_bps, 1), p.max_bps)


cdef void probe_controller_set_bounds(ProbeController *p, int64_t min_bps, int64_t max_bps,
                                      int64_t now_us) noexcept nogil:
    cdef int64_t before_bps = p.max_bps
    set_range(p, min_bps, max_bps)
    if is_ready(p) and before_bps < p.max_bps and p.estimate_bps < p.max_bps:
        launch(p, PROBE_MAX, p.max_bps, 0, False, now_us)


cdef void probe_controller_set_available(ProbeController *p, bint available, int64_t now_us) noexcept nogil:
    p.available = available
    if not available and p.state != INITIAL:
        complete(p)


cdef void probe_controller_set_estimate(ProbeController *p, int64_t bps, int limited_by,
                                        int64_t now_us) noexcept nogil:
    bps = min(max(bps, 0), <int64_t>RATE_MAX_BPS)
    p.limited_by = <uint8_t>limited_by if 0 <= limited_by < LIMITED_CAUSES else LIMITED_BY_LOSS
    if bps * 100 < p.estimate_bps * DROP_PERCENT:
        p.dropped_us = now_us
        p.before_drop_bps = p.estimate_bps
    if bps * 100 > p.grown_bps * GROWN_PERCENT:
        p.grown_us = now_us
        p.grown_bps = bps
    p.grown_bps = min(p.grown_bps, bps)
    p.estimate_bps = bps
    probe_demand_set_estimate(&p.demand, bps, now_us)
    if is_refused(p):
        probe_demand_hold(&p.demand, p.limited_by == LIMITED_BY_OVERUSE, now_us)
        if p.queued:
            complete(p)
    elif is_over(p, now_us):
        complete(p)
    elif p.state == WAITING and bps > p.further_bps:
        probe_further(p, now_us)


cdef void probe_controller_set_alr(ProbeController *p, int64_t alr_since_us, int64_t now_us) noexcept nogil:
    if alr_since_us < 0 and p.alr_us >= 0:
        p.alr_ended_us = now_us
    p.alr_us = max(alr_since_us, -1)


cdef void probe_controller_set_demand(ProbeController *p, int64_t demand_bps, int64_t in_use_bps,
                                      int64_t now_us) noexcept nogil:
    probe_demand_set(&p.demand, demand_bps, in_use_bps, now_us)


cdef void probe_controller_set_allocated(ProbeController *p, int64_t allocated_bps, int64_t now_us) noexcept nogil:
    cdef int64_t before_bps = p.allocated_bps
    cdef int64_t limit_bps = FURTHER_TIMES * p.estimate_bps
    p.allocated_bps = min(max(allocated_bps, 0), <int64_t>RATE_MAX_BPS)
    if p.allocated_bps == before_bps or p.allocated_bps <= p.estimate_bps:
        return
    if p.alr_us < 0 or not is_ready(p) or cap_bps(p) <= p.estimate_bps:
        return
    launch(p, PROBE_ALLOCATION, min(p.allocated_bps, limit_bps), min(2 * p.allocated_bps, limit_bps),
           limit_bps < 2 * p.allocated_bps, now_us)


cdef void probe_controller_result(ProbeController *p, int cluster, int64_t bps, int64_t now_us) noexcept nogil:
    cdef const ProbeCluster *sent
    cdef int i
    for i in range(PROBES_KEPT):
        sent = &p.recent[i]
        if cluster > 0 and sent.id == cluster:
            if cluster == p.last_id and p.queued == 0:
                p.result_bps = max(p.result_bps, min(max(bps, 0), sent.rate_bps))
            return
    p.unknown_results += 1


cdef void probe_controller_dropped(ProbeController *p, int64_t now_us) noexcept nogil:
    cdef int64_t rate_bps = p.before_drop_bps * RECOVERY_PERCENT // 100
    cdef bint limited = p.alr_us >= 0 or now_us - p.alr_ended_us < ALR_ENDED_US
    if not is_ready(p) or not (limited or p.demand.wanted_bps > p.estimate_bps):
        return
    if rate_bps * UNCERTAIN_PERCENT // 100 <= p.estimate_bps or now_us - p.dropped_us >= DROP_US:
        return
    if now_us - p.recovered_us > DROP_US and launch(p, PROBE_RECOVERY, rate_bps, 0, False, now_us):
        p.recovered_us = now_us


cdef bint probe_controller_poll(ProbeController *p, int64_t now_us, ProbeCluster *cluster) noexcept nogil:
    cdef ProbeCluster *sent = &p.recent[p.polled % PROBES_KEPT]
    if not p.available:
        return False
    if p.queued == 0:
        process(p, now_us)
    if p.queued == 0 or now_us < free_us(p):
        return False
    p.last_id = <uint8_t>(p.last_id % 255 + 1)
    p.polled += 1
    sent.id = p.last_id
    sent.rate_bps = min(max(p.queue[0], p.min_bps), p.max_bps)
    sent.packets = CLUSTER_PACKETS
    sent.bytes = <int>max((sent.rate_bps * CLUSTER_US + 7999999) // 8000000, 1)
    sent.created_us = now_us
    sent.kind = p.kind
    p.queue[0] = p.queue[1]
    p.queued -= 1
    p.launched_us = now_us
    p.result_bps = -1
    if p.kind != PROBE_INITIAL:
        probe_demand_charge(&p.demand, sent.rate_bps, now_us)
    cluster[0] = sent[0]
    return True


cdef int64_t probe_controller_deadline_us(const ProbeController *p) noexcept nogil:
    cdef int64_t due_us = -1
    if not p.available:
        return -1
    if p.queued > 0:
        return max(p.launched_us, free_us(p))
    if p.state == INITIAL:
        return -1 if is_refused(p) else p.launched_us
    if p.state == WAITING:
        due_us = p.launched_us + RESULT_WAIT_US
    due_us = sooner(due_us, demand_due_us(p))
    due_us = sooner(due_us, alr_due_us(p))
    return sooner(due_us, stagnation_due_us(p))


# ---- what is due

cdef inline int64_t sooner(int64_t one_us, int64_t other_us) noexcept nogil:
    if one_us < 0 or other_us < 0:
        return max(one_us, other_us)
    return min(one_us, other_us)


cdef inline bint is_refused(const ProbeController *p) noexcept nogil:
    return p.limited_by != LIMITED_BY_DELAY and p.limited_by != LIMITED_BY_LOSS_INCREASING


# The round before is over, or has its results
cdef inline bint is_ready(const ProbeController *p) noexcept nogil:
    return p.state == COMPLETE or (p.state == WAITING and p.queued == 0 and p.result_bps >= 0)


# Results that come now are too late
cdef inline bint is_over(const ProbeController *p, int64_t now_us) noexcept nogil:
    return p.state == WAITING and p.queued == 0 and now_us >= p.launched_us + RESULT_WAIT_US


cdef int64_t cap_bps(const ProbeController *p) noexcept nogil:
    cdef int64_t bps = p.max_bps
    if p.allocated_bps > 0:
        bps = min(bps, ALLOCATED_TIMES * p.allocated_bps)
    if p.limited_by == LIMITED_BY_LOSS_INCREASING:
        bps = min(bps, p.estimate_bps * LOSS_PERCENT // 100)
    return bps


# When another cluster may be handed out, for all that were before
cdef inline int64_t free_us(const ProbeController *p) noexcept nogil:
    return NEVER_US if p.polled < PROBES_KEPT else p.recent[p.polled % PROBES_KEPT].created_us + SECOND_US


cdef int64_t demand_due_us(const ProbeController *p) noexcept nogil:
    cdef int64_t due_us = probe_demand_due_us(&p.demand, cap_bps(p), is_refused(p))
    if due_us >= 0 and p.result_bps < 0:
        due_us = max(due_us, p.launched_us + (RESULT_WAIT_US if p.demand.in_use_bps > 0 else RESUME_WAIT_US))
    return due_us


cdef int64_t alr_due_us(const ProbeController *p) noexcept nogil:
    cdef bint unmet = p.demand.wanted_bps < 0 and p.allocated_bps > p.estimate_bps
    if p.alr_us < 0 or not (p.periodic_alr or unmet):
        return -1
    if is_refused(p) or not is_ready(p) or cap_bps(p) <= p.estimate_bps:
        return -1
    return max(p.alr_us, p.launched_us) + ALR_INTERVAL_US


cdef int64_t stagnation_due_us(const ProbeController *p) noexcept nogil:
    if p.demand.wanted_bps >= 0 or is_refused(p) or not is_ready(p):
        return -1
    if min(p.allocated_bps, cap_bps(p)) <= p.estimate_bps:
        return -1
    return max(max(p.grown_us, p.launched_us) + STAGNANT_US, p.demand.held_us)


cdef inline bint is_reached(int64_t due_us, int64_t now_us) noexcept nogil:
    return 0 <= due_us <= now_us


cdef void process(ProbeController *p, int64_t now_us) noexcept nogil:
    cdef int64_t rate_bps
    if p.state == INITIAL:
        launch(p, PROBE_INITIAL, FIRST_TIMES * p.start_bps, SECOND_TIMES * p.start_bps, True, now_us)
        return
    if is_over(p, now_us):
        complete(p)
    if is_reached(demand_due_us(p), now_us):
        rate_bps = probe_demand_rate_bps(&p.demand)
        if launch(p, PROBE_DEMAND, rate_bps, 0, rate_bps < probe_demand_enough_bps(&p.demand), now_us):
            probe_demand_probed(&p.demand, now_us)
    elif is_reached(alr_due_us(p), now_us):
        launch(p, PROBE_ALR, FURTHER_TIMES * p.estimate_bps, 0, True, now_us)
    elif is_reached(stagnation_due_us(p), now_us):
        launch(p, PROBE_STAGNATION, FURTHER_TIMES * p.estimate_bps, 0, True, now_us)


# ---- making clusters up

cdef void complete(ProbeController *p) noexcept nogil:
    p.state = COMPLETE
    p.queued = 0
    p.further_bps = NO_RATE_BPS


cdef void probe_further(ProbeController *p, int64_t now_us) noexcept nogil:
    cdef int64_t rate_bps = FURTHER_TIMES * p.estimate_bps
    cdef bint leads_on = True
    if p.kind == PROBE_DEMAND:
        rate_bps = probe_demand_further_bps(&p.demand)
        leads_on = rate_bps < probe_demand_enough_bps(&p.demand)
        if rate_bps < 0:
            complete(p)
        if rate_bps < 0 or p.result_bps <= p.further_bps:
            return
    launch(p, p.kind, rate_bps, 0, leads_on, now_us)


# Make up clusters at one or two rates (0: none), in place of what waits. Does nothing and says so where probing is
# refused; demand knows better, it asks when all is paused.
cdef bint launch(ProbeController *p, int kind, int64_t first_bps, int64_t second_bps, bint leads_on,
                 int64_t now_us) noexcept nogil:
    cdef int64_t limit_bps = cap_bps(p)
    if is_refused(p) and kind != PROBE_DEMAND:
        return False
    complete(p)
    if limit_bps <= p.estimate_bps:
        return False
    p.queue[0] = max(min(first_bps, limit_bps), p.min_bps)
    p.queue[1] = max(min(second_bps, limit_bps), p.min_bps)
    p.queued = 2 if p.queue[1] > p.queue[0] else 1
    p.kind = <uint8_t>kind
    p.launched_us = now_us
    p.result_bps = -1
    if leads_on and max(first_bps, second_bps) < limit_bps:
        p.state = WAITING
        p.further_bps = p.queue[p.queued - 1] * FURTHER_PERCENT // 100
    return True


# ---- the Python face

LIMITS = ("delay", "overuse", "rtt", "loss", "loss-increasing")
KINDS = ("initial", "alr", "allocation", "recovery", "max", "demand", "stagnation")


@cython.final
cdef class Probe:
    """A probe cluster to send: packets in a row at a rate above the estimate."""
    cdef readonly int cluster
    cdef readonly int64_t rate_bps
    cdef readonly int packets
    cdef readonly int size_bytes
    cdef readonly int64_t created_us
    cdef readonly str kind

    def __repr__(self):
        return (
            f"Probe(cluster={self.cluster}, rate_bps={self.rate_bps}, packets={self.packets}, "
            f"size_bytes={self.size_bytes}, created_us={self.created_us}, kind={self.kind!r})"
        )


@cython.final
cdef class ProbePlanner:
    """Plans the probes of one viewer's link. Times are microseconds of one clock, 0..2**60.

    Args:
        start_bps: what the link is thought to carry at first, bit/s.
        min_bps: no probe is slower.
        max_bps: no probe is faster; 0: not known, 5 Mbit/s.
        now_us: time of the call, and of the first probes.
        periodic: probe every 5 s while application-limited, wanted or not.

    Raises:
        ValueError: a rate is negative or a time out of range; so in all methods.
    """
    cdef ProbeController controller

    def __cinit__(self, int64_t start_bps, int64_t min_bps, int64_t max_bps, int64_t now_us, *, bint periodic=False):
        check_time(now_us)
        if min(start_bps, min_bps, max_bps) < 0:
            raise ValueError("rates must not be negative")
        probe_controller_init(&self.controller, start_bps, min_bps, max_bps, now_us)
        self.controller.periodic_alr = periodic

    def set_bounds(self, int64_t min_bps, int64_t max_bps, int64_t now_us):
        """Change between which rates to probe."""
        check_time(now_us)
        if min(min_bps, max_bps) < 0:
            raise ValueError("rates must not be negative")
        probe_controller_set_bounds(&self.controller, min_bps, max_bps, now_us)

    def set_available(self, bint available, int64_t now_us):
        """Tell whether the transport can send; at first it can."""
        check_time(now_us)
        probe_controller_set_available(&self.controller, available, now_us)

    def set_estimate(self, int64_t bps, str limited_by, int64_t now_us):
        """Tell what the link is thought to carry.

        Args:
            bps: bit/s.
            limited_by: "delay" (no congestion), "overuse" (or underuse), "rtt" (feedback is late or lacks), "loss"
                (the estimate falls) or "loss-increasing" (it grows again).
            now_us: time of the call.
        """
        check_time(now_us)
        if bps < 0:
            raise ValueError("rates must not be negative")
        if limited_by not in LIMITS:
            raise ValueError(f"limited_by must be one of {', '.join(LIMITS)}")
        probe_controller_set_estimate(&self.controller, bps, LIMITS.index(limited_by), now_us)

    def set_alr(self, alr_since_us, int64_t now_us):
        """Tell since when the link is application-limited; None: it is not."""
        cdef int64_t since_us = -1 if alr_since_us is None else alr_since_us
        check_time(now_us)
        if alr_since_us is not None:
            check_time(since_us)
        probe_controller_set_alr(&self.controller, since_us, now_us)

    def set_demand(self, int64_t demand_bps, int64_t in_use_bps, int64_t now_us):
        """Tell what could be used next.

        Args:
            demand_bps: what is in use and the next wanted layer, with reserve, bit/s; as much as is in use, or less:
                nothing more is wanted.
            in_use_bps: what is in use, bit/s; 0: all is paused.
            now_us: time of the call.
        """
        check_time(now_us)
        if min(demand_bps, in_use_bps) < 0:
            raise ValueError("rates must not be negative")
        probe_controller_set_demand(&self.controller, demand_bps, in_use_bps, now_us)

    def set_allocated(self, int64_t allocated_bps, int64_t now_us):
        """Tell what could ever be used, bit/s; no probe is above twice that. 0: not known."""
        check_time(now_us)
        if allocated_bps < 0:
            raise ValueError("rates must not be negative")
        probe_controller_set_allocated(&self.controller, allocated_bps, now_us)

    def on_result(self, int cluster, int64_t bps, int64_t now_us):
        """Take in what a cluster measured, bit/s; of one that was not sent, nothing."""
        check_time(now_us)
        probe_controller_result(&self.controller, cluster, bps, now_us)

    def on_recovered(self, int64_t now_us):
        """Tell that the link is back to normal after overuse."""
        check_time(now_us)
        probe_controller_dropped(&self.controller, now_us)

    def poll(self, int64_t now_us):
        """The next cluster to send from now on, or None. Call until None."""
        cdef ProbeCluster cluster
        cdef Probe probe
        check_time(now_us)
        if not probe_controller_poll(&self.controller, now_us, &cluster):
            return None
        probe = Probe.__new__(Probe)
        probe.cluster, probe.rate_bps, probe.created_us = cluster.id, cluster.rate_bps, cluster.created_us
        probe.packets, probe.size_bytes, probe.kind = cluster.packets, cluster.bytes, KINDS[cluster.kind]
        return probe

    def poll_timeout(self):
        """When to poll next, in microseconds; None: not before something changes."""
        cdef int64_t due_us = probe_controller_deadline_us(&self.controller)
        return None if due_us < 0 else due_us

    @property
    def unknown_results(self):
        """Results of clusters that were not sent, or long ago."""
        return self.controller.unknown_results
