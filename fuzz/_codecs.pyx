"""Payload descriptors of VP8, VP9, H264 and AV1, in C. An input's first byte chooses the codec."""

from fuzz._dice cimport Dice, roll
from fuzz._loop cimport Tally, exact, loop_of, ran
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memset
from mediarouter.codecs._codec cimport Codec, CodecKind, codec_of
from mediarouter.codecs._payload cimport PayloadInfo, PayloadPatch
from mediarouter.codecs._vp8 cimport vp8_dimensions

cdef enum:
    CODECS = 4                     # of CodecKind, from 1 on


cdef int repair(Dice *dice, uint8_t *data, int size) noexcept nogil:
    # a payload of at least two bytes
    while size < 3:
        data[size] = <uint8_t>roll(dice)
        size += 1
    return size


cdef const char *check(Tally *tally, uint8_t *data, int size) noexcept nogil:
    cdef const Codec *codec
    cdef PayloadInfo info
    cdef uint8_t *payload = data + 1
    cdef bint accepted
    cdef int width = -1
    cdef int height = -1
    if size == 0:
        return NULL
    codec = codec_of(<CodecKind>(1 + data[0] % CODECS))
    memset(&info, 0xA5, sizeof(info))
    accepted = codec.parse(&info, payload, size - 1) == 0
    ran(tally, data, size, accepted, shape_of(&info, data[0] % CODECS))
    if codec.kind == 1 and vp8_dimensions(payload, size - 1, &width, &height):
        if not (accepted and info.key_frame and 0 <= width < 1 << 14 and 0 <= height < 1 << 14):
            return "a picture's size, read where no key frame begins or out of range"
    if not accepted:
        return unread(&info)
    if info.descriptor_size >= size - 1:
        return "a descriptor with no payload behind it"
    if info.picture_id >> info.picture_id_bits:
        return "a picture id of more bits than it has"
    if not (0 <= info.temporal_layer <= 7 and 0 <= info.spatial_layer <= 7):
        return "a layer out of range"
    if info.picture_id_offset + info.picture_id_bits // 8 > info.descriptor_size and info.picture_id_bits:
        return "a picture id outside of the descriptor"
    if max(info.tl0_offset, info.keyidx_offset) >= max(<int>info.descriptor_size, 1):
        return "a field outside of the descriptor"
    if codec.rewrite != NULL:
        return rewritten(codec, &info, payload, size - 1)
    return NULL


cdef inline uint64_t shape_of(const PayloadInfo *info, uint64_t codec) noexcept nogil:
    return (codec | info.frame_start << 2 | info.key_frame << 3 | info.layer_sync << 4 | info.picture_id_bits << 5
            | <uint64_t>info.temporal_layer << 10 | <uint64_t>info.spatial_layer << 14
            | <uint64_t>info.descriptor_size << 18 | <uint64_t>info.tl0_offset << 26
            | <uint64_t>info.keyidx_offset << 34)


cdef const char *unread(const PayloadInfo *info) noexcept nogil:
    cdef PayloadInfo nothing
    memset(&nothing, 0, sizeof(nothing))
    if memcmp(info, &nothing, sizeof(nothing)) != 0:
        return "fields of a payload that is not understood"
    return NULL


cdef const char *rewritten(const Codec *codec, const PayloadInfo *info, const uint8_t *payload,
                           int size) noexcept nogil:
    # other numbers, of the same size, and nothing else
    cdef PayloadPatch patch
    cdef PayloadInfo again
    cdef PayloadInfo expected = info[0]
    cdef uint8_t *changed = exact(payload, size)
    cdef const char *wrong = NULL
    cdef int i
    patch.picture_id, patch.tl0 = 0x2ABC, 0x5D
    expected.picture_id = patch.picture_id & <int>((1 << info.picture_id_bits) - 1)
    expected.tl0 = patch.tl0 if info.tl0_offset else 0
    codec.rewrite(changed, info, &patch)
    if codec.parse(&again, changed, size) != 0 or memcmp(&again, &expected, sizeof(again)) != 0:
        wrong = "a rewritten payload that reads otherwise"
    for i in range(size):
        if changed[i] != payload[i] and not (
                info.picture_id_bits and 0 <= i - info.picture_id_offset < (info.picture_id_bits + 7) // 8
                or info.tl0_offset and i == info.tl0_offset):
            wrong = "a rewrite of bytes that are none of its own"
    free(changed)
    return wrong


def loop(seeds, seed, kept=None):
    """See `fuzz._loop`."""
    return loop_of(check, repair, seeds, seed, kept)
