"""VP8 in RTP (RFC 7741): the payload descriptor, and what a router changes in it."""

from libc.stdint cimport int8_t, uint8_t
from libc.string cimport memset
from mediarouter._rtp cimport read_u16, read_u24
from mediarouter.codecs._payload cimport PayloadInfo, PayloadPatch


cdef int vp8_parse(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil:
    # first byte X R N S R PID; with X the byte I L T K; with these PictureID, TL0PICIDX, TID Y KEYIDX (section 4.2)
    cdef int at = 1
    cdef uint8_t first, flags
    memset(info, 0, sizeof(PayloadInfo))
    if size < 2:
        return 1
    first = payload[0]
    if first & 0x80:
        flags = payload[1]
        at = 2
        if flags & 0x80:
            at = read_picture_id(info, payload, at, size)
            if at == 0:
                return not_understood(info)
        if flags & 0x40:
            if at >= size:
                return not_understood(info)
            info.tl0_offset = <uint8_t>at
            info.tl0 = payload[at]
            at += 1
        if flags & 0x30:
            if at >= size:
                return not_understood(info)
            info.keyidx_offset = <uint8_t>at
            if flags & 0x20:
                info.temporal_layer = <int8_t>(payload[at] >> 6)
                info.layer_sync = payload[at] & 0x20 != 0
            at += 1
    if at >= size:
        return not_understood(info)
    info.descriptor_size = <uint8_t>at
    # S set in partition 0: the frame begins here, and with its header: P clear says key frame (section 4.3)
    info.frame_start = first & 0x10 != 0 and first & 0x07 == 0
    info.key_frame = info.frame_start and payload[at] & 0x01 == 0
    return 0


cdef int not_understood(PayloadInfo *info) noexcept nogil:
    memset(info, 0, sizeof(PayloadInfo))
    return 1


cdef int read_picture_id(PayloadInfo *info, const uint8_t *payload, int at, int size) noexcept nogil:
    # the place behind it; 0: it is cut short
    if at >= size:
        return 0
    info.picture_id_offset = <uint8_t>at
    if payload[at] & 0x80:
        if at + 1 >= size:
            return 0
        info.picture_id_bits = 15
        info.picture_id = read_u16(payload + at) & 0x7FFF
        return at + 2
    info.picture_id_bits = 7
    info.picture_id = payload[at]
    return at + 1


cdef void vp8_rewrite(uint8_t *payload, const PayloadInfo *info, const PayloadPatch *patch) noexcept nogil:
    if info.picture_id_bits == 15:
        payload[info.picture_id_offset] = <uint8_t>(0x80 | (patch.picture_id >> 8) & 0x7F)
        payload[info.picture_id_offset + 1] = <uint8_t>(patch.picture_id & 0xFF)
    elif info.picture_id_bits == 7:
        payload[info.picture_id_offset] = <uint8_t>(patch.picture_id & 0x7F)
    if info.tl0_offset:
        payload[info.tl0_offset] = patch.tl0


cdef bint vp8_dimensions(const uint8_t *payload, int size, int *width, int *height) noexcept nogil:
    # frame tag of three bytes, start code 9d 01 2a, 14 bits each of width and height, little endian (RFC 6386 9.1)
    cdef PayloadInfo info
    cdef const uint8_t *frame
    if vp8_parse(&info, payload, size) != 0 or not info.key_frame or size - info.descriptor_size < 10:
        return False
    frame = payload + info.descriptor_size
    if read_u24(frame + 3) != 0x9D012A:
        return False
    width[0] = (frame[6] | (frame[7] << 8)) & 0x3FFF
    height[0] = (frame[8] | (frame[9] << 8)) & 0x3FFF
    return True


def dimensions(bytes payload):
    """(width, height) of the key frame that this RTP payload begins, None when it begins none."""
    cdef int width = 0
    cdef int height = 0
    if vp8_dimensions(<const uint8_t *><const char *>payload, <int>len(payload), &width, &height):
        return width, height
    return None
