"""VP9 in RTP (RFC 9628): the payload descriptor as far as forwarding needs it."""

from libc.stdint cimport int8_t, uint8_t
from libc.string cimport memset
from mediarouter._rtp cimport read_u16
from mediarouter.codecs._codec cimport PayloadInfo

cdef enum:
    FLAG_I = 0x80                  # picture id is there
    FLAG_P = 0x40                  # predicted from an earlier picture
    FLAG_L = 0x20                  # layer indices are there
    FLAG_F = 0x10                  # flexible mode
    FLAG_B = 0x08                  # begins a layer frame


cdef int vp9_parse(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil:
    cdef int at = 1
    cdef uint8_t flags
    memset(info, 0, sizeof(PayloadInfo))
    if size < 2:
        return 1
    flags = payload[0]
    if flags & FLAG_I:
        info.picture_id_offset = 1
        if payload[1] & 0x80:
            if size < 3:
                return not_understood(info)
            info.picture_id_bits = 15
            info.picture_id = read_u16(payload + 1) & 0x7FFF
            at = 3
        else:
            info.picture_id_bits = 7
            info.picture_id = payload[1]
            at = 2
    if flags & FLAG_L:
        if at >= size:
            return not_understood(info)
        info.temporal_layer = <int8_t>(payload[at] >> 5)
        info.layer_sync = payload[at] & 0x10 != 0
        info.spatial_layer = <int8_t>((payload[at] >> 1) & 0x07)
        at += 1
        if not flags & FLAG_F:
            if at >= size:
                return not_understood(info)
            info.tl0_offset = <uint8_t>at
            info.tl0 = payload[at]
            at += 1
    if at >= size:
        return not_understood(info)
    info.descriptor_size = <uint8_t>at
    info.frame_start = flags & FLAG_B != 0
    # not predicted from another picture, and the lowest layer: a picture to begin with
    info.key_frame = flags & FLAG_P == 0 and info.spatial_layer == 0
    return 0


cdef int not_understood(PayloadInfo *info) noexcept nogil:
    memset(info, 0, sizeof(PayloadInfo))
    return 1
