# Whether feedback still comes for what is sent, and how far an estimate falls while it does not. Sans-IO.
from libc.stdint cimport int64_t

cdef enum:
    FEEDBACK_FINE
    FEEDBACK_LATE                  # no growth, no probes
    FEEDBACK_BACKING_OFF           # and the estimate falls
    FEEDBACK_GONE                  # no video: packets that keep the path alive

cdef struct FeedbackWatch:
    int64_t last_sent_us           # counts while `waiting`
    int64_t unheard_us             # sending time up to last_sent_us for which nothing was heard
    int64_t interval_us            # between reports, smoothed
    int64_t rtt_us                 # of the last report; -1: not known
    int64_t next_cut_us            # for an RTT beyond all use; -1: there is none
    int cuts                       # told since the last report, for the want of one
    bint waiting                   # something was sent since the last report
    bint sent_since_cut

cdef void feedback_watch_init(FeedbackWatch *w) noexcept nogil
# A packet was sent that a report will tell about (it has a transport-wide number)
cdef void feedback_watch_sent(FeedbackWatch *w, int64_t now_us) noexcept nogil
# A report came. rtt_us: measured by it, -1 not known.
cdef void feedback_watch_report(FeedbackWatch *w, int64_t now_us, int64_t rtt_us) noexcept nogil
# The level: FEEDBACK_FINE ...
cdef int feedback_watch_poll(const FeedbackWatch *w, int64_t now_us) noexcept nogil
# By how much to multiply the estimate now, 0 < factor <= 1. Each cut is told once.
cdef double feedback_watch_factor(FeedbackWatch *w, int64_t now_us) noexcept nogil
# When the level or the factor changes next, should no report come; -1: not before a packet is sent
cdef int64_t feedback_watch_deadline_us(const FeedbackWatch *w, int64_t now_us) noexcept nogil
