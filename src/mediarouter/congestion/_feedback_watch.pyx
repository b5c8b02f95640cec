"""Whether feedback still comes for what is sent, and how far an estimate falls while it does not.

Theory of operation
An estimate lives on reports. Without any, it is worth less by the second: the path may have gone, or be so full that
reports queue with the rest. What counts is the time of sending without hearing: from the first packet after the last
report on, a gap between two packets, and the time after the last one, counting 600 ms at most, so that a sender that
was silent has not waited. By that time, the watch is

- late after three usual intervals between reports, two round trips and 500 ms, whichever is most (3 s at most): the
  estimate shall not grow, and no probe be sent;
- backing off 500 ms later, after 1 s at the soonest: the estimate is halved, and again each 500 ms;
- gone 4 s later, after 5 s at the soonest: video shall stop, and a packet each 500 ms keep the path known.

Any report ends that. One that tells of a round trip above 3 s begins another kind of back-off, as libwebrtc has it: the
estimate falls to 0.8 of itself at once and each second, while packets are sent, until a report tells of a shorter one.
libwebrtc adds the time without feedback to the round trip in that, and so has waited 3 s before it acts.
"""

cimport cython
from libc.stdint cimport int64_t
from mediarouter.congestion._face cimport check_time

cdef enum:
    GAP_MAX_US = 600000            # a little more than between packets that keep the path alive
    INTERVAL_START_US = 100000
    INTERVAL_MAX_US = 500000       # an outage is no interval
    LATE_MIN_US = 500000
    LATE_MAX_US = 3000000
    BACKING_OFF_AFTER_US = 500000  # being late
    GONE_AFTER_US = 4500000
    CUT_INTERVAL_US = 500000
    CUTS_MAX = 12                  # 4096 times less: whatever the estimate was, it is at its minimum
    RTT_LIMIT_US = 3000000
    RTT_CUT_INTERVAL_US = 1000000

cdef double CUT = 0.5
cdef double RTT_CUT = 0.8


cdef void feedback_watch_init(FeedbackWatch *w) noexcept nogil:
    w.last_sent_us = 0
    w.unheard_us = 0
    w.interval_us = INTERVAL_START_US
    w.rtt_us = -1
    w.next_cut_us = -1
    w.cuts = 0
    w.waiting = False
    w.sent_since_cut = False


cdef inline int64_t gap(const FeedbackWatch *w, int64_t now_us) noexcept nogil:
    return min(max(now_us - w.last_sent_us, 0), GAP_MAX_US)


cdef inline int64_t unheard(const FeedbackWatch *w, int64_t now_us) noexcept nogil:
    return w.unheard_us + gap(w, now_us) if w.waiting else 0


cdef void feedback_watch_sent(FeedbackWatch *w, int64_t now_us) noexcept nogil:
    if w.waiting:
        w.unheard_us += gap(w, now_us)
        w.last_sent_us = max(w.last_sent_us, now_us)
    else:
        w.waiting = True
        w.last_sent_us = now_us
    w.sent_since_cut = True


cdef void feedback_watch_report(FeedbackWatch *w, int64_t now_us, int64_t rtt_us) noexcept nogil:
    if w.waiting:
        w.interval_us += (min(unheard(w, now_us), INTERVAL_MAX_US) - w.interval_us) // 8
    w.waiting = False
    w.unheard_us = 0
    w.cuts = 0
    if rtt_us < 0:
        return
    if rtt_us <= RTT_LIMIT_US:
        w.next_cut_us = -1
    elif w.next_cut_us < 0:
        w.next_cut_us = now_us
        w.sent_since_cut = True
    w.rtt_us = rtt_us


cdef inline int64_t late_after_us(const FeedbackWatch *w) noexcept nogil:
    return min(max(max(3 * w.interval_us, LATE_MIN_US), 2 * min(w.rtt_us, RTT_LIMIT_US)), LATE_MAX_US)


cdef int feedback_watch_poll(const FeedbackWatch *w, int64_t now_us) noexcept nogil:
    cdef int64_t over_us = unheard(w, now_us) - late_after_us(w)
    if over_us >= GONE_AFTER_US:
        return FEEDBACK_GONE
    if over_us >= BACKING_OFF_AFTER_US or w.next_cut_us >= 0:
        return FEEDBACK_BACKING_OFF
    return FEEDBACK_LATE if over_us >= 0 else FEEDBACK_FINE


cdef double feedback_watch_factor(FeedbackWatch *w, int64_t now_us) noexcept nogil:
    cdef int64_t over_us = unheard(w, now_us) - late_after_us(w) - BACKING_OFF_AFTER_US
    cdef int due = 0 if over_us < 0 else <int>min(over_us // CUT_INTERVAL_US + 1, CUTS_MAX)
    cdef double factor = 1.0
    while w.cuts < due:
        w.cuts += 1
        factor *= CUT
    if factor == 1.0 and 0 <= w.next_cut_us <= now_us and w.sent_since_cut:
        w.next_cut_us = now_us + RTT_CUT_INTERVAL_US
        w.sent_since_cut = False
        factor = RTT_CUT
    return factor


# Of sending time, when the level or the factor changes next. Being gone falls on a cut.
cdef int64_t next_step_us(const FeedbackWatch *w, int64_t unheard_us) noexcept nogil:
    cdef int64_t late_us = late_after_us(w)
    if unheard_us < late_us:
        return late_us
    return late_us + BACKING_OFF_AFTER_US + w.cuts * CUT_INTERVAL_US if w.cuts < CUTS_MAX else -1


cdef int64_t feedback_watch_deadline_us(const FeedbackWatch *w, int64_t now_us) noexcept nogil:
    cdef int64_t step_us = next_step_us(w, unheard(w, now_us)) if w.waiting else -1
    cdef int64_t deadline_us = -1
    if step_us >= 0 and step_us - w.unheard_us <= GAP_MAX_US:
        deadline_us = w.last_sent_us + step_us - w.unheard_us
    if w.next_cut_us >= 0 and w.sent_since_cut and (deadline_us < 0 or w.next_cut_us < deadline_us):
        deadline_us = w.next_cut_us
    return deadline_us


# ---- the Python face

LEVELS = ("fine", "late", "backing_off", "gone")


@cython.final
cdef class FeedbackWatcher:
    """Whether feedback still comes for what is sent. All times are microseconds of one clock, 0 .. 2**60.

    Each method raises ValueError for a time out of that range.
    """
    cdef FeedbackWatch watch

    def __cinit__(self):
        feedback_watch_init(&self.watch)

    def on_sent(self, int64_t now_us):
        """A packet was sent that a report will tell about."""
        check_time(now_us)
        feedback_watch_sent(&self.watch, now_us)

    def on_report(self, int64_t now_us, rtt_us=None):
        """A report came; `rtt_us` is what it measured, None: nothing."""
        check_time(now_us)
        feedback_watch_report(&self.watch, now_us, -1 if rtt_us is None else rtt_us)

    def poll(self, int64_t now_us):
        """One of "fine", "late" (no growth, no probes), "backing_off" (the estimate falls), "gone" (no video)."""
        check_time(now_us)
        return LEVELS[feedback_watch_poll(&self.watch, now_us)]

    def take_factor(self, int64_t now_us):
        """By how much to multiply the estimate now, 0 < factor <= 1. Each cut is told once."""
        check_time(now_us)
        return feedback_watch_factor(&self.watch, now_us)

    def poll_timeout(self, int64_t now_us):
        """When the level or the factor changes next, should no report come; None: not before a packet is sent."""
        cdef int64_t deadline_us
        check_time(now_us)
        deadline_us = feedback_watch_deadline_us(&self.watch, now_us)
        return None if deadline_us < 0 else deadline_us

    @property
    def interval_us(self):
        """The usual time between reports, as far as it counts here: 500 ms at most."""
        return self.watch.interval_us
