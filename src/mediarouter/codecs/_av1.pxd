# AV1 in RTP: the aggregation header
from libc.stdint cimport uint8_t
from mediarouter.codecs._payload cimport PayloadInfo

cdef int av1_parse(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil
