# When to look for more because more is wanted than the estimate allows; `_probe_demand.pyx` tells how. A part of the
# probe controller, which knows what the network lets probing do.
from libc.stdint cimport int64_t

cdef struct ProbeDemand:
    int64_t wanted_bps             # what could be used next, all in all; -1: not known
    int64_t in_use_bps             # 0: all is paused
    int64_t estimate_bps
    int64_t founded_bps            # the demand that the present waiting times are about
    int64_t best_bps               # largest estimate that a probe of them began with
    int64_t wait_us                # after the next probe
    int64_t next_us                # no probe before
    int64_t held_us                # no probe before, unless all is paused
    int64_t overused_us            # when the link was last told to be overused
    int64_t probed_us              # the last probe
    int64_t idle_us                # since when all is paused
    int64_t met_us                 # since when the estimate allows what is wanted; -1: it does not
    int64_t credit                 # of padding, in millionths of a bit; negative: debt
    int64_t credit_us              # credit is as of then

cdef void probe_demand_init(ProbeDemand *d, int64_t estimate_bps, int64_t now_us) noexcept nogil
cdef void probe_demand_set(ProbeDemand *d, int64_t wanted_bps, int64_t in_use_bps, int64_t now_us) noexcept nogil
cdef void probe_demand_set_estimate(ProbeDemand *d, int64_t bps, int64_t now_us) noexcept nogil
# The network is congested now; `overused`: and that is what the last packets met
cdef void probe_demand_hold(ProbeDemand *d, bint overused, int64_t now_us) noexcept nogil
# When to probe, at probe_demand_rate_bps and no more than cap_bps; -1: not as things are. `refused`: the network was
# congested when it was last heard of.
cdef int64_t probe_demand_due_us(const ProbeDemand *d, int64_t cap_bps, bint refused) noexcept nogil
cdef int64_t probe_demand_rate_bps(const ProbeDemand *d) noexcept nogil
# The rate above which no probe for this demand needs to be
cdef int64_t probe_demand_enough_bps(const ProbeDemand *d) noexcept nogil
# The rate to go on with after a probe that succeeded; -1: demand is met
cdef int64_t probe_demand_further_bps(const ProbeDemand *d) noexcept nogil
# A probe of this part was begun
cdef void probe_demand_probed(ProbeDemand *d, int64_t now_us) noexcept nogil
# A probe of any kind goes out
cdef void probe_demand_charge(ProbeDemand *d, int64_t rate_bps, int64_t now_us) noexcept nogil
