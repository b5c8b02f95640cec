"""H264 in RTP (RFC 6184): single NAL units, STAP-A, FU-A, which is what packetization modes 0 and 1 send.

A key frame is entered at its parameter sets where they come with it (SPS), else at the first slice of its IDR picture:
a decoder that joins needs both, and encoders of conferences send them together. `frame_start` says that an access unit
may begin with this packet (H.264 section 7.4.1.2.3): several packets in a row may say so, such as SPS, PPS and the
first slice.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memset
from mediarouter._rtp cimport read_u16
from mediarouter.codecs._payload cimport PayloadInfo

cdef enum:
    NAL_SLICE = 1
    NAL_IDR = 5
    NAL_SEI = 6
    NAL_SPS = 7
    NAL_PPS = 8
    NAL_DELIMITER = 9
    NAL_STAP_A = 24
    NAL_FU_A = 28
    FU_START = 0x80


cdef int h264_parse(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil:
    cdef int kind
    memset(info, 0, sizeof(PayloadInfo))
    if size < 2:
        return 1
    kind = payload[0] & 0x1F
    if kind == NAL_STAP_A:
        return read_aggregate(info, payload, size)
    if kind == NAL_FU_A:
        if size < 3:
            return 1
        kind = payload[1] & 0x1F
        info.frame_start = payload[1] & FU_START != 0 and may_begin(kind, payload[2])
    elif 1 <= kind < NAL_STAP_A:
        info.frame_start = may_begin(kind, payload[1])
    else:
        return 1                   # interleaved (mode 2), which no browser sends, or undefined
    info.key_frame = kind in (NAL_IDR, NAL_SPS)
    return 0


cdef inline bint may_begin(int kind, uint8_t first_byte) noexcept nogil:
    # a slice begins with first_mb_in_slice as Exp-Golomb: a leading 1 is macroblock 0
    if kind in (NAL_SLICE, NAL_IDR):
        return first_byte & 0x80 != 0
    return kind in (NAL_SEI, NAL_SPS, NAL_PPS, NAL_DELIMITER) or 14 <= kind <= 18


cdef int read_aggregate(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil:
    # units of a 16-bit size each; one that is cut short ends it, and those before count
    cdef int at = 1
    cdef int unit_size, kind
    while at + 2 < size:
        unit_size = read_u16(payload + at)
        at += 2
        if unit_size == 0 or at + unit_size > size:
            break
        kind = payload[at] & 0x1F
        if at == 3:
            info.frame_start = may_begin(kind, payload[at + 1] if unit_size > 1 else 0)
        if kind in (NAL_IDR, NAL_SPS):
            info.key_frame = True
        at += unit_size
    return 0
