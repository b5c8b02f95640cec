# What a report of RFC 8888 tells anew of the packets in a history: `_feedback_match` for the other format.
from libc.stdint cimport uint8_t
from mediarouter.congestion._ccfb_index cimport CcfbIndex, ccfb_stream_t
from mediarouter.congestion._feedback_match cimport FeedbackMatch, Outcome
from mediarouter.congestion._send_history cimport SendHistory

# Lost ones first, in the order of sending, then received ones by arrival: how many, or a Drop code. `stream_of` finds
# our streams in `table`; `outcomes` has room for OUTCOMES_MAX.
cdef int feedback_match_ccfb(FeedbackMatch *match, SendHistory *history, const CcfbIndex *index,
                             ccfb_stream_t stream_of, const void *table, const uint8_t *data, int size,
                             Outcome *outcomes, int *lost) noexcept nogil
