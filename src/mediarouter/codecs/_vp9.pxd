# VP9 payload descriptor (RFC 9628 section 4.2)
from libc.stdint cimport uint8_t
from mediarouter.codecs._payload cimport PayloadInfo

cdef int vp9_parse(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil
