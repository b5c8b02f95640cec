"""H264 in RTP (RFC 6184): single NAL units, STAP-A, FU-A.

A key frame is entered at its parameter sets where they come with it (SPS), else at its first IDR slice: a decoder that
joins needs both, and encoders of conferences send them together.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memset
from mediarouter._rtp cimport read_u16
from mediarouter.codecs._codec cimport PayloadInfo

cdef enum:
    NAL_IDR = 5
    NAL_SPS = 7
    NAL_STAP_A = 24
    NAL_FU_A = 28


cdef int h264_parse(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil:
    cdef int kind, at, unit_size
    memset(info, 0, sizeof(PayloadInfo))
    if size < 2:
        return 1
    kind = payload[0] & 0x1F
    info.frame_start = True
    if kind == NAL_STAP_A:
        at = 1
        while at + 2 < size:
            unit_size = read_u16(payload + at)
            at += 2
            if unit_size == 0 or at + unit_size > size:
                break
            if payload[at] & 0x1F in (NAL_IDR, NAL_SPS):
                info.key_frame = True
            at += unit_size
    elif kind == NAL_FU_A:
        info.frame_start = payload[1] & 0x80 != 0
        info.key_frame = payload[1] & 0x1F in (NAL_IDR, NAL_SPS)
    else:
        info.key_frame = kind in (NAL_IDR, NAL_SPS)
    return 0
