# Congestion control feedback of RFC 8888 at its receiver: what arrived when, stream by stream, as it is reported.
# The format itself is in mediarouter._congestion_feedback; `_twcc` is the same for transport-wide numbers.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cdef struct CcfbRecord              # private to _ccfb.pyx

# NULL when memory is short
cdef CcfbRecord *ccfb_record_new() noexcept nogil
cdef void ccfb_record_free(CcfbRecord *record) noexcept nogil
# One packet came in. `ecn`: how it was marked, 0..3. `size_bytes`: what the network carried for it.
cdef void ccfb_record_packet(CcfbRecord *record, uint32_t ssrc, uint16_t seq, int size_bytes, int ecn,
                             int64_t arrival_us) noexcept nogil
# When the next report is due (50..100 ms after the first unreported packet); -1: nothing to report
cdef int64_t ccfb_record_deadline_us(const CcfbRecord *record) noexcept nogil
# Write one RTCP packet about what is unreported: its bytes, 0 when nothing is left. Call until 0, with one `now_us`.
cdef int ccfb_record_write(CcfbRecord *record, uint8_t *out, int capacity, uint32_t sender_ssrc,
                           int64_t now_us) noexcept nogil
