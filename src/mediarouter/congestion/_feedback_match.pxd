# From a report to what it tells anew: packets of the history that have arrived, in that order, and packets lost.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from mediarouter.congestion._send_history cimport SendHistory, SentPacket

cdef enum:
    OUTCOMES_MAX = 4096            # a report cannot tell more

cdef struct Outcome:
    int64_t number
    int64_t send_us
    int64_t arrival_us             # receiver's clock, of any zero
    int32_t size_bytes
    uint8_t cluster
    bint received

cdef struct FeedbackMatch:
    int64_t reference              # of the newest report, unwrapped; 64 ms
    bint started
    uint64_t reports
    uint64_t statuses              # looked at: what reports cost
    uint64_t received              # packets, each once
    uint64_t lost                  # told as lost, whatever became of them later
    uint64_t malformed
    uint64_t unknown               # statuses about packets that were never sent, or are forgotten
    uint64_t repeated              # about packets told as received before
    int64_t timestamp              # of the newest report of RFC 8888, unwrapped; 1/65536 s
    bint stamped                   # there was one
    uint64_t unknown_streams       # parts of such reports about SSRCs that are not ours
    uint64_t ecn[4]                # packets told as received, by how they were marked (RFC 3168): 3 is congestion

cdef void feedback_match_init(FeedbackMatch *match) noexcept nogil
# What a transport-wide report tells anew: lost ones first, then received ones by arrival. How many, or a Drop code.
cdef int feedback_match_twcc(FeedbackMatch *match, SendHistory *history, const uint8_t *data, int size,
                             Outcome *outcomes, int *lost) noexcept nogil

# For readers of other formats
cdef void outcome_fill(Outcome *outcome, int64_t number, const SentPacket *packet, int64_t arrival_us,
                       bint received) noexcept nogil
cdef void outcomes_put_in_order(Outcome *outcomes, int count) noexcept nogil       # by arrival
