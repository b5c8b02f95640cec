"""The table of codecs, and their Python face."""

from libc.stdint cimport uint8_t
from mediarouter.codecs._av1 cimport av1_parse
from mediarouter.codecs._h264 cimport h264_parse
from mediarouter.codecs._vp8 cimport vp8_parse, vp8_rewrite
from mediarouter.codecs._vp9 cimport vp9_parse

cdef Codec[5] codecs
codecs[<int>CODEC_OPAQUE] = Codec(CODEC_OPAQUE, NULL, NULL)
codecs[<int>CODEC_VP8] = Codec(CODEC_VP8, vp8_parse, vp8_rewrite)
codecs[<int>CODEC_VP9] = Codec(CODEC_VP9, vp9_parse, NULL)
codecs[<int>CODEC_H264] = Codec(CODEC_H264, h264_parse, NULL)
codecs[<int>CODEC_AV1] = Codec(CODEC_AV1, av1_parse, NULL)

KINDS = {
    "video/vp8": <int>CODEC_VP8,
    "video/vp9": <int>CODEC_VP9,
    "video/h264": <int>CODEC_H264,
    "video/av1": <int>CODEC_AV1,
}


cdef const Codec *codec_of(CodecKind kind) noexcept nogil:
    return &codecs[<int>kind] if 0 <= <int>kind < 5 else &codecs[0]


def kind_of(str mime_type):
    """CodecKind of a MIME type; 0: forwarded without a look inside."""
    return KINDS.get(mime_type.lower(), <int>CODEC_OPAQUE)


def parse(str mime_type, payload):
    """What the router reads of an RTP payload.

    Args:
        mime_type: "video/VP8" and so on.
        payload: without RTP header and padding.

    Returns:
        The fields of PayloadInfo by name; None when the codec is opaque or the payload is not understood.
    """
    cdef bytes data = bytes(payload)
    cdef PayloadInfo info
    cdef const Codec *codec = codec_of(<CodecKind><int>kind_of(mime_type))
    if codec.parse == NULL or codec.parse(&info, <const uint8_t *><const char *>data, <int>len(data)) != 0:
        return None
    return info


def parse_many(str mime_type, list payloads, int times):
    """Read each payload `times` times without Python between; for measuring.

    Returns:
        How many of the payloads were understood, counted each time.
    """
    cdef const Codec *codec = codec_of(<CodecKind><int>kind_of(mime_type))
    cdef PayloadInfo info
    cdef const uint8_t *data
    cdef int understood = 0
    cdef int size, _
    cdef bytes payload
    if codec.parse == NULL:
        return 0
    for payload in payloads:
        data = <const uint8_t *><const char *>payload
        size = <int>len(payload)
        with nogil:
            for _ in range(times):
                understood += codec.parse(&info, data, size) == 0
    return understood


def rewrite(str mime_type, payload, int picture_id, int tl0):
    """The payload with another picture id and TL0PICIDX; as it was when the codec has none.

    Args:
        picture_id: 15 bits; a 7-bit field takes the low 7.
        tl0: 0..255.
    """
    cdef bytearray data = bytearray(payload)
    cdef PayloadInfo info
    cdef PayloadPatch patch
    cdef uint8_t[::1] view
    cdef const Codec *codec = codec_of(<CodecKind><int>kind_of(mime_type))
    if codec.rewrite == NULL or not data:
        return bytes(data)
    view = data
    if codec.parse(&info, &view[0], <int>view.shape[0]) == 0:
        patch.picture_id = <unsigned short>(picture_id & 0x7FFF)
        patch.tl0 = <uint8_t>(tl0 & 0xFF)
        codec.rewrite(&view[0], &info, &patch)
    return bytes(data)
