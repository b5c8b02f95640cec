# Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01): what arrived when, as
# the receiver records and reports it, and as the sender reads it back.
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef struct TwccRecord              # private to _twcc.pyx

# NULL when memory is short
cdef TwccRecord *twcc_record_new() noexcept nogil
cdef void twcc_record_free(TwccRecord *record) noexcept nogil
# One packet with transport sequence number `seq` came in
cdef void twcc_record_packet(TwccRecord *record, uint16_t seq, int64_t arrival_us) noexcept nogil
# When the next feedback is due (50..100 ms after the first unreported packet); -1: nothing to report
cdef int64_t twcc_record_deadline_us(const TwccRecord *record) noexcept nogil
# Write one RTCP feedback packet about what is unreported: its bytes, 0 when nothing is left. Call until 0.
cdef int twcc_record_write(TwccRecord *record, uint8_t *out, int capacity, uint32_t sender_ssrc,
                           uint32_t media_ssrc, int64_t now_us) noexcept nogil

cdef struct TwccStatus:
    int64_t arrival_us             # receiver's clock, from its reference time; meaningless when not received
    uint16_t seq
    bint received

cdef struct TwccFeedback:          # the fixed part
    uint32_t sender_ssrc
    uint32_t media_ssrc
    uint32_t reference_time_64ms   # 24 bits
    uint16_t base_seq
    uint16_t status_count
    uint8_t feedback_count

# `data` is the whole RTCP packet (205, FMT 15). Up to `capacity` statuses; how many, or a Drop code.
cdef int twcc_parse(const uint8_t *data, int size, TwccFeedback *feedback,
                    TwccStatus *statuses, int capacity) noexcept nogil
