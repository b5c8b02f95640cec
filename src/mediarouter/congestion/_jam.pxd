# A link that has just become much too narrow, seen before the trend of the delay is sure; `_jam.pyx` tells how.
from libc.stdint cimport int64_t
from mediarouter.congestion._feedback_match cimport Outcome

cdef struct Jam:
    int64_t waited_us              # so long all packets of the last report waited at least
    int64_t carried_bps            # what the link carries, less what frees it; -1: it is not jammed

cdef void jam_init(Jam *jam) noexcept nogil
# Packets that a report tells to have come, in the order they did, of which the last waited for `queue_us`
cdef void jam_report(Jam *jam, const Outcome *received, int count, int64_t queue_us) noexcept nogil
