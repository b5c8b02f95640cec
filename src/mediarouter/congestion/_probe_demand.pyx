"""Probing for what a viewer could use next.

Theory of operation
A router cannot turn an encoder up: it sends sums of layers, mostly less than the link carries, and what it must know is
whether the next layer fits. So the question is asked for as long as it stands (more is wanted than the estimate
allows) and not only when it comes up, and the probe is as large as the answer needs: the demand itself and 5 %, since
timers make results come out low, but no more than twice the estimate (300 kbit/s at least), and from there on by
doubling what was found. While a demand stands it is asked again with 1.75 times the estimate: that harms less a link
that is just enough.

The first probe for a demand comes at once, the next after 1 s, then every 1.5 s while the estimate does not
exceed what it was. A demand more than 10 % larger than the last one that was probed for is new, and so is one after ten
seconds in which the estimate was enough. When it is enough, nothing is sent. Congestion holds probes for a second.

While all is paused little is measured, so what the network was last heard to be like means little; then a probe goes
out every 700 ms even if it was congested, so that video is back within a second of when the link can carry it. Where
something else still flows, audio as a rule, and the link is told to be overused again and again, it is every 3 s.

Probes are paid for with credit that comes in at 5 % of the rate in use (of the estimate when all is paused, of
240 kbit/s at least) and holds one second of it. A probe may go into debt, the next one waits until it is paid. Whatever
demands and results do, padding stays a small part of what is sent.
"""

from libc.stdint cimport int64_t

cdef enum:
    RATE_MAX_BPS = 2000000000
    WAIT_LEAST_US = 1000000
    WAIT_MOST_US = 1500000
    RESUME_US = 700000
    RESUME_LATEST_US = 3000000
    HEARD_US = 300000              # so long what was heard of the link holds while all is paused
    MET_LONG_US = 10000000
    NEW_PERCENT = 110              # of the demand before
    GROWN_PERCENT = 105            # of the best estimate before
    DROP_PERCENT = 66
    PROBED_PERCENT = 105           # of the demand
    FIRST_PERCENT = 200            # of the estimate
    AGAIN_PERCENT = 175
    UNASKED_BPS = 300000           # harmless on any link that carries video, whatever the estimate
    PADDING_PERCENT = 5
    PADDED_LEAST_BPS = 240000
    CREDIT_US = 1000000            # of credit, at most
    DEBT_US = 60000000             # of debt, at most
    PROBE_US = 15000
    PROBE_LEAST_BITS = 8000        # five packets of 200 bytes
    MICRO = 1000000

cdef int64_t NEVER_US = -(<int64_t>1 << 60)


cdef void probe_demand_init(ProbeDemand *d, int64_t estimate_bps, int64_t now_us) noexcept nogil:
    d.wanted_bps = -1
    d.in_use_bps = 0
    d.estimate_bps = estimate_bps
    d.founded_bps = 0
    d.best_bps = 0
    d.wait_us = WAIT_LEAST_US
    d.next_us = now_us
    d.held_us = now_us
    d.overused_us = NEVER_US
    d.probed_us = NEVER_US
    d.idle_us = now_us
    d.met_us = now_us
    d.credit = 0
    d.credit_us = now_us


cdef int64_t filling_bps(const ProbeDemand *d) noexcept nogil:
    cdef int64_t sent_bps = d.in_use_bps if d.in_use_bps > 0 else d.estimate_bps
    return max(sent_bps, <int64_t>PADDED_LEAST_BPS) * PADDING_PERCENT // 100


cdef void fill(ProbeDemand *d, int64_t now_us) noexcept nogil:
    cdef int64_t bps = filling_bps(d)
    cdef int64_t elapsed_us = min(max(now_us - d.credit_us, 0), <int64_t>DEBT_US + CREDIT_US)
    d.credit = min(d.credit + bps * elapsed_us, bps * CREDIT_US)
    d.credit_us = max(d.credit_us, now_us)


# Whether demand was met, or stopped to be
cdef void compare(ProbeDemand *d, int64_t now_us) noexcept nogil:
    if d.wanted_bps <= d.estimate_bps:
        if d.met_us < 0:
            d.met_us = now_us
    elif d.met_us >= 0:
        if now_us - d.met_us >= MET_LONG_US:
            begin_anew(d, now_us)
        d.met_us = -1


cdef void begin_anew(ProbeDemand *d, int64_t now_us) noexcept nogil:
    d.founded_bps = d.wanted_bps
    d.best_bps = 0
    d.wait_us = WAIT_LEAST_US
    d.next_us = min(d.next_us, now_us)


cdef void probe_demand_set(ProbeDemand *d, int64_t wanted_bps, int64_t in_use_bps, int64_t now_us) noexcept nogil:
    fill(d, now_us)
    in_use_bps = min(max(in_use_bps, 0), <int64_t>RATE_MAX_BPS)
    if in_use_bps == 0 and d.in_use_bps > 0:
        d.idle_us = now_us
    d.in_use_bps = in_use_bps
    d.wanted_bps = min(max(wanted_bps, -1), <int64_t>RATE_MAX_BPS)
    if d.wanted_bps * 100 > d.founded_bps * NEW_PERCENT:
        begin_anew(d, now_us)
    compare(d, now_us)


cdef void probe_demand_set_estimate(ProbeDemand *d, int64_t bps, int64_t now_us) noexcept nogil:
    fill(d, now_us)
    if bps * 100 < d.estimate_bps * DROP_PERCENT:
        d.best_bps = min(d.best_bps, bps)
    d.estimate_bps = bps
    compare(d, now_us)


cdef void probe_demand_hold(ProbeDemand *d, bint overused, int64_t now_us) noexcept nogil:
    d.held_us = max(d.held_us, now_us + WAIT_LEAST_US)
    if overused:
        d.overused_us = max(d.overused_us, now_us)


cdef int64_t paid_us(const ProbeDemand *d) noexcept nogil:
    cdef int64_t bps = filling_bps(d)
    return NEVER_US if d.credit >= 0 else d.credit_us + (bps - 1 - d.credit) // bps


cdef int64_t probe_demand_due_us(const ProbeDemand *d, int64_t cap_bps, bint refused) noexcept nogil:
    cdef bint idle = d.in_use_bps == 0
    cdef int64_t due_us = max(d.next_us, d.held_us)
    cdef int64_t probed_us = max(d.idle_us, d.probed_us)
    cdef int64_t resume_us = max(probed_us + RESUME_US, min(d.overused_us + HEARD_US, probed_us + RESUME_LATEST_US))
    if min(d.wanted_bps, cap_bps) <= d.estimate_bps or (refused and not idle):
        return -1
    if idle:
        due_us = resume_us if refused else min(due_us, resume_us)
    return max(due_us, paid_us(d))


cdef int64_t probe_demand_enough_bps(const ProbeDemand *d) noexcept nogil:
    return d.wanted_bps * PROBED_PERCENT // 100


cdef int64_t probe_demand_rate_bps(const ProbeDemand *d) noexcept nogil:
    cdef int64_t most_bps = d.estimate_bps * (AGAIN_PERCENT if d.best_bps > 0 else FIRST_PERCENT) // 100
    return min(probe_demand_enough_bps(d), max(most_bps, <int64_t>UNASKED_BPS))


cdef int64_t probe_demand_further_bps(const ProbeDemand *d) noexcept nogil:
    return min(probe_demand_enough_bps(d), 2 * d.estimate_bps) if d.wanted_bps > d.estimate_bps else -1


cdef void probe_demand_probed(ProbeDemand *d, int64_t now_us) noexcept nogil:
    if d.estimate_bps * 100 > d.best_bps * GROWN_PERCENT:
        d.best_bps = d.estimate_bps
        d.wait_us = WAIT_LEAST_US
    d.founded_bps = d.wanted_bps
    d.probed_us = now_us
    d.next_us = now_us + d.wait_us
    d.wait_us = min(d.wait_us * 3 // 2, <int64_t>WAIT_MOST_US)


cdef void probe_demand_charge(ProbeDemand *d, int64_t rate_bps, int64_t now_us) noexcept nogil:
    fill(d, now_us)
    d.credit -= max(rate_bps * PROBE_US, <int64_t>PROBE_LEAST_BITS * MICRO)
    d.credit = max(d.credit, -filling_bps(d) * DEBT_US)
