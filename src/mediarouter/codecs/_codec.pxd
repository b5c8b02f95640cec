# What the router knows about a payload without decoding it. One table of functions a codec, chosen once per producer.
from mediarouter.codecs._payload cimport PayloadInfo, PayloadPatch, payload_parse_t, payload_rewrite_t

cdef enum CodecKind:
    CODEC_OPAQUE = 0               # audio, and video nobody can read: no layers, no key frames
    CODEC_VP8 = 1
    CODEC_VP9 = 2
    CODEC_H264 = 3
    CODEC_AV1 = 4

cdef struct Codec:
    CodecKind kind
    payload_parse_t parse          # NULL: opaque
    payload_rewrite_t rewrite      # NULL: nothing to rewrite

cdef const Codec *codec_of(CodecKind kind) noexcept nogil      # in _codec.pyx
