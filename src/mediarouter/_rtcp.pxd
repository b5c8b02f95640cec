# RTCP as the engine reads and writes it (RFC 3550 section 6, 4585, 5104, the transport-wide-cc draft). The reader walks
# a compound datagram and hands out one packet after another; the writers append to a caller's buffer.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum RtcpType:
    RTCP_SR = 200
    RTCP_RR = 201
    RTCP_SDES = 202
    RTCP_BYE = 203
    RTCP_APP = 204
    RTCP_RTPFB = 205
    RTCP_PSFB = 206
    RTCP_XR = 207

cdef struct RtcpView:              # one packet of a compound; borrows
    const uint8_t *data            # its header
    uint16_t size                  # header included, padding not
    uint8_t packet_type
    uint8_t count                  # RC, SC or FMT: the five bits of the first byte

cdef struct RtcpReader:
    const uint8_t *data
    int size
    int position

cdef inline void rtcp_reader_init(RtcpReader *reader, const uint8_t *data, int size) noexcept nogil:
    reader.data = data
    reader.size = size
    reader.position = 0

# 1: *view is the next packet; 0: the datagram is used up; negative: a Drop code, nothing after it can be read.
# The packets before it stand (RFC 3550 appendix A.2; reduced-size RFC 5506 is accepted).
cdef int rtcp_next(RtcpReader *reader, RtcpView *view) noexcept nogil

cdef struct ReportBlock:
    uint32_t ssrc
    uint8_t fraction_lost          # of 256
    int32_t cumulative_lost        # 24 bits, signed
    uint32_t highest_seq           # extended
    uint32_t jitter                # RTP clock units
    uint32_t last_sr               # middle 32 bits of the NTP time
    uint32_t delay_since_last_sr   # 1/65536 s

cdef struct SenderInfo:
    uint32_t ssrc
    uint64_t ntp                   # 32.32 fixed point
    uint32_t rtp_timestamp
    uint32_t packets
    uint32_t octets

# Readers: the view's type is checked by the caller, every length here. 0 or a Drop code.
cdef int rtcp_read_sender_info(const RtcpView *view, SenderInfo *info) noexcept nogil
cdef int rtcp_report_count(const RtcpView *view) noexcept nogil                        # blocks that fit in an SR or RR
cdef int rtcp_read_report(const RtcpView *view, int index, ReportBlock *block) noexcept nogil
cdef int rtcp_feedback_ssrcs(const RtcpView *view, uint32_t *sender, uint32_t *media) noexcept nogil
# Generic NACK (RFC 4585 6.2.1): up to `capacity` sequence numbers into `seqs`; how many, or a Drop code
cdef int rtcp_read_nack(const RtcpView *view, uint16_t *seqs, int capacity) noexcept nogil
# FIR (RFC 5104 4.3.1): the index-th entry; 1 there was one, 0 not, negative Drop
cdef int rtcp_read_fir(const RtcpView *view, int index, uint32_t *ssrc, uint8_t *command_seq) noexcept nogil
cdef int rtcp_read_bye(const RtcpView *view, int index, uint32_t *ssrc) noexcept nogil    # same returns
cdef int rtcp_read_remb(const RtcpView *view, uint64_t *bitrate_bps) noexcept nogil       # 1 it is a REMB, 0 not, Drop
# Extended reports (RFC 3611): receiver reference time. 1 found, 0 not, negative Drop
cdef int rtcp_read_rrtr(const RtcpView *view, uint64_t *ntp) noexcept nogil

# Writers: append at `out`, return the bytes written, 0 when `capacity` is too small
cdef int rtcp_write_sr(uint8_t *out, int capacity, const SenderInfo *info,
                       const ReportBlock *blocks, int count) noexcept nogil
cdef int rtcp_write_rr(uint8_t *out, int capacity, uint32_t ssrc,
                       const ReportBlock *blocks, int count) noexcept nogil
cdef int rtcp_write_sdes_cname(uint8_t *out, int capacity, uint32_t ssrc,
                               const char *cname, int cname_size) noexcept nogil
cdef int rtcp_write_bye(uint8_t *out, int capacity, const uint32_t *ssrcs, int count) noexcept nogil
cdef int rtcp_write_nack(uint8_t *out, int capacity, uint32_t sender_ssrc, uint32_t media_ssrc,
                         const uint16_t *seqs, int count) noexcept nogil               # seqs ascending on the circle
cdef int rtcp_write_pli(uint8_t *out, int capacity, uint32_t sender_ssrc, uint32_t media_ssrc) noexcept nogil
cdef int rtcp_write_fir(uint8_t *out, int capacity, uint32_t sender_ssrc, uint32_t media_ssrc,
                        uint8_t command_seq) noexcept nogil
cdef int rtcp_write_remb(uint8_t *out, int capacity, uint32_t sender_ssrc, uint64_t bitrate_bps,
                         const uint32_t *ssrcs, int count) noexcept nogil
# TMMBR (RFC 5104 4.2.1): for each SSRC a limit, rounded down to 17 significant bits
cdef int rtcp_write_tmmbr(uint8_t *out, int capacity, uint32_t sender_ssrc, const uint32_t *ssrcs,
                          const uint64_t *rates_bps, uint32_t overhead_bytes, int count) noexcept nogil
cdef int rtcp_write_dlrr(uint8_t *out, int capacity, uint32_t sender_ssrc, uint32_t receiver_ssrc,
                         uint32_t last_rr, uint32_t delay_since_last_rr) noexcept nogil
