# Which probe clusters to send to one viewer, when and how fast; `_probe_controller.pyx` tells how.
from libc.stdint cimport int32_t, int64_t, uint8_t
from mediarouter.congestion._probe_demand cimport ProbeDemand

cdef enum:
    PROBES_KEPT = 8                # clusters whose results are taken, and all that one second may have

cdef enum:                         # what limits the estimate
    LIMITED_BY_DELAY               # the delay-based estimate, without congestion: probes are free
    LIMITED_BY_OVERUSE             # the link is over- or underused: none
    LIMITED_BY_RTT                 # no feedback, or a very late one: none
    LIMITED_BY_LOSS                # falling for loss, or growing by padding: none
    LIMITED_BY_LOSS_INCREASING     # limited by loss, but growing: up to 1.5 times the estimate
    LIMITED_CAUSES

cdef enum:                         # why a cluster is sent
    PROBE_INITIAL
    PROBE_ALR                      # periodic, while application-limited
    PROBE_ALLOCATION               # more is allocated than the estimate, while application-limited
    PROBE_RECOVERY                 # the estimate had fallen a lot
    PROBE_MAX                      # a higher estimate is allowed than before
    PROBE_DEMAND                   # more is wanted than the estimate allows
    PROBE_STAGNATION               # nothing of that has helped for long
    PROBE_KINDS

cdef struct ProbeCluster:
    int id                         # 1..255, in turn
    int64_t rate_bps               # to send at
    int packets                    # to send, at least
    int bytes                      # to send, at least: what the rate gives in 15 ms
    int64_t created_us
    int kind                       # PROBE_...

cdef struct ProbeController:
    int64_t estimate_bps
    int64_t start_bps
    int64_t min_bps
    int64_t max_bps
    int64_t allocated_bps          # no probe above twice that; 0: not known
    int64_t alr_us                 # application-limited since then; -1: not
    int64_t alr_ended_us
    int64_t launched_us            # when a cluster was made up or handed out last
    int64_t further_bps            # a larger estimate calls for another, faster one
    int64_t result_bps             # best result of the last cluster; -1: none yet
    int64_t dropped_us             # the estimate fell a lot then
    int64_t before_drop_bps        # from here
    int64_t recovered_us           # when a probe after such a fall was made up
    int64_t grown_us               # when the estimate last grew
    int64_t grown_bps              # to this, or was lower since
    ProbeDemand demand
    int64_t queue[2]               # rates of clusters made up and not yet polled
    ProbeCluster recent[PROBES_KEPT]
    int64_t polled                 # clusters, all in all
    int64_t unknown_results
    int32_t queued
    uint8_t kind                   # of what was made up last
    uint8_t state
    uint8_t limited_by
    uint8_t last_id
    bint available                 # the transport can send
    bint periodic_alr              # switch: probe every 5 s while application-limited, wanted or not

# start_bps within min_bps..max_bps, as whatever is probed; max_bps <= 0: not known, 5 Mbit/s. Available.
cdef void probe_controller_init(ProbeController *p, int64_t start_bps, int64_t min_bps, int64_t max_bps,
                                int64_t now_us) noexcept nogil
cdef void probe_controller_set_bounds(ProbeController *p, int64_t min_bps, int64_t max_bps,
                                      int64_t now_us) noexcept nogil
cdef void probe_controller_set_available(ProbeController *p, bint available, int64_t now_us) noexcept nogil
# Once a report, after the results of its probes
cdef void probe_controller_set_estimate(ProbeController *p, int64_t bps, int limited_by,
                                        int64_t now_us) noexcept nogil
# alr_since_us: -1 while not application-limited
cdef void probe_controller_set_alr(ProbeController *p, int64_t alr_since_us, int64_t now_us) noexcept nogil
# demand_bps: what could be used next, that is in_use_bps and the next wanted layer, with reserve; in_use_bps: of what
# the demand is about, 0 when all of it is paused
cdef void probe_controller_set_demand(ProbeController *p, int64_t demand_bps, int64_t in_use_bps,
                                      int64_t now_us) noexcept nogil
# All that could ever be used, as far as known; 0: not known
cdef void probe_controller_set_allocated(ProbeController *p, int64_t allocated_bps, int64_t now_us) noexcept nogil
cdef void probe_controller_result(ProbeController *p, int cluster, int64_t bps, int64_t now_us) noexcept nogil
# The link is back to normal after overuse; if the estimate fell a lot, see whether that was for long
cdef void probe_controller_dropped(ProbeController *p, int64_t now_us) noexcept nogil
# A cluster to send from now on. Call until False.
cdef bint probe_controller_poll(ProbeController *p, int64_t now_us, ProbeCluster *cluster) noexcept nogil
# When to poll next; -1: not before something changes
cdef int64_t probe_controller_deadline_us(const ProbeController *p) noexcept nogil
