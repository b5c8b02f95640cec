# Transport-wide congestion control feedback at its receiver: what arrived when, as it is recorded and reported. The
# format itself, with the reader for the other end, is in mediarouter._transport_feedback; the names are here too.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from mediarouter._transport_feedback cimport TwccFeedback, TwccStatus, twcc_parse

cdef struct TwccRecord              # private to _twcc.pyx

# NULL when memory is short
cdef TwccRecord *twcc_record_new() noexcept nogil
cdef void twcc_record_free(TwccRecord *record) noexcept nogil
# One packet with transport sequence number `seq` came in
cdef void twcc_record_packet(TwccRecord *record, uint16_t seq, int64_t arrival_us) noexcept nogil
# The sender says when it wants feedback (transport-wide-cc-02), and from now on gets none else. `request`: 0, or what
# came behind the number, a bit that asks for times and how many numbers, `seq` the last of them.
cdef void twcc_record_request(TwccRecord *record, uint16_t seq, uint16_t request, int64_t now_us) noexcept nogil
# When the next feedback is due (50..100 ms after the first unreported packet, or when asked for); -1: there is none
cdef int64_t twcc_record_deadline_us(const TwccRecord *record) noexcept nogil
# Write one RTCP feedback packet about what is unreported: its bytes, 0 when nothing is left. Call until 0.
cdef int twcc_record_write(TwccRecord *record, uint8_t *out, int capacity, uint32_t sender_ssrc,
                           uint32_t media_ssrc, int64_t now_us) noexcept nogil
