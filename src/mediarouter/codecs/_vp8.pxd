# VP8 payload descriptor and key frame header (RFC 7741 sections 4.2, 4.3)
from libc.stdint cimport uint8_t, uint16_t
from mediarouter.codecs._payload cimport PayloadInfo, PayloadPatch

cdef int vp8_parse(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil
cdef void vp8_rewrite(uint8_t *payload, const PayloadInfo *info, const PayloadPatch *patch) noexcept nogil
# Width and height of a key frame, from its first packet. False: it is none
cdef bint vp8_dimensions(const uint8_t *payload, int size, int *width, int *height) noexcept nogil
