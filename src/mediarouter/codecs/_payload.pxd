# What a codec tells of an RTP payload, and what a rewrite puts into it.
from libc.stdint cimport int8_t, uint8_t, uint16_t

cdef struct PayloadInfo:           # what parse found; fields that a codec has not are 0 (ids: -1)
    bint frame_start               # first packet of a frame (of a layer frame in SVC)
    bint key_frame                 # belongs to a key frame, as far as this packet tells: see each codec
    int8_t temporal_layer          # 0..7; 0 where unknown
    int8_t spatial_layer           # 0..3, within this very stream (SVC)
    bint layer_sync                # a temporal layer may be entered here
    uint8_t descriptor_size        # bytes of the payload descriptor
    uint8_t picture_id_offset      # from the payload's first byte; 0 none
    uint8_t picture_id_bits        # 7 or 15, 0 none
    uint16_t picture_id
    uint8_t tl0_offset             # of TL0PICIDX, 0 none
    uint8_t tl0                    # TL0PICIDX
    uint8_t keyidx_offset          # of the byte with TID, Y and KEYIDX (VP8), 0 none

cdef struct PayloadPatch:          # what a rewrite puts in place of what the publisher wrote
    uint16_t picture_id            # 15 bits counted; a 7-bit field takes the low 7
    uint8_t tl0

# 0, or 1 when the payload is not understood: it is then forwarded whole and `info` is all zero
ctypedef int (*payload_parse_t)(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil
# In place; the payload keeps its size
ctypedef void (*payload_rewrite_t)(uint8_t *payload, const PayloadInfo *info, const PayloadPatch *patch) noexcept nogil
