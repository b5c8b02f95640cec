# H264 in RTP (RFC 6184): key frames only; layers are not told by the payload
from libc.stdint cimport uint8_t
from mediarouter.codecs._payload cimport PayloadInfo

cdef int h264_parse(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil
