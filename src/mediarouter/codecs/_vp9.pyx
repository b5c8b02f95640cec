"""VP9 in RTP (RFC 9628): the payload descriptor, read to its end.

    I P L F B E V Z | picture id, 7 or 15 bits | TID U SID D, TL0PICIDX | P_DIFF, up to 3 | scalability structure
"""

from libc.stdint cimport int8_t, uint8_t
from libc.string cimport memset
from mediarouter._rtp cimport read_u16
from mediarouter.codecs._payload cimport PayloadInfo

cdef enum:
    FLAG_I = 0x80                  # picture id is there
    FLAG_P = 0x40                  # predicted from an earlier picture
    FLAG_L = 0x20                  # layer indices are there
    FLAG_F = 0x10                  # flexible mode: references are listed, and TL0PICIDX is not there
    FLAG_B = 0x08                  # begins a layer frame
    FLAG_V = 0x02                  # scalability structure is there
    MAX_REFERENCES = 3


cdef int vp9_parse(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil:
    cdef int at = 1
    cdef uint8_t flags
    memset(info, 0, sizeof(PayloadInfo))
    if size < 2:
        return 1
    flags = payload[0]
    if flags & FLAG_I:
        at = read_picture_id(info, payload, at, size)
    if at and flags & FLAG_L:
        at = read_layers(info, payload, at, size, flags & FLAG_F != 0)
    if at and flags & FLAG_F and flags & FLAG_P:
        at = skip_references(payload, at, size)
    if at and flags & FLAG_V:
        at = skip_structure(payload, at, size)
    if at == 0 or at >= size or at > 255:
        memset(info, 0, sizeof(PayloadInfo))
        return 1
    info.descriptor_size = <uint8_t>at
    info.frame_start = flags & FLAG_B != 0
    # not predicted from another picture, and the lowest layer: a picture to begin with
    info.key_frame = flags & FLAG_P == 0 and info.spatial_layer == 0
    return 0


# Each of these reads from `at` and returns the place behind what it read; 0: the payload ends before.

cdef int read_picture_id(PayloadInfo *info, const uint8_t *payload, int at, int size) noexcept nogil:
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


cdef int read_layers(PayloadInfo *info, const uint8_t *payload, int at, int size, bint flexible) noexcept nogil:
    if at >= size:
        return 0
    info.temporal_layer = <int8_t>(payload[at] >> 5)
    info.layer_sync = payload[at] & 0x10 != 0
    info.spatial_layer = <int8_t>((payload[at] >> 1) & 0x07)
    at += 1
    if flexible:
        return at
    if at >= size:
        return 0
    info.tl0_offset = <uint8_t>at
    info.tl0 = payload[at]
    return at + 1


cdef int skip_references(const uint8_t *payload, int at, int size) noexcept nogil:
    # P_DIFF of 7 bits, then N: another one follows
    cdef int _
    for _ in range(MAX_REFERENCES):
        if at >= size:
            return 0
        at += 1
        if not payload[at - 1] & 0x01:
            return at
    return 0                       # a fourth reference is not allowed


cdef int skip_structure(const uint8_t *payload, int at, int size) noexcept nogil:
    # N_S Y G, then of each spatial layer its width and height, then of each picture of the group TID U R and R P_DIFFs
    cdef uint8_t head
    cdef int pictures, _
    if at >= size:
        return 0
    head = payload[at]
    at += 1
    if head & 0x10:
        at += 4 * ((head >> 5) + 1)
    if head & 0x08:
        if at >= size:
            return 0
        pictures = payload[at]
        at += 1
        for _ in range(pictures):
            if at >= size:
                return 0
            at += 1 + ((payload[at] >> 2) & 0x03)
    return at
