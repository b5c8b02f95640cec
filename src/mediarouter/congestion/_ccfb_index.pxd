# Where RTP packets of several streams are in a send history: from (stream, sequence number) to transport-wide number.
# The newest 2,048 packets, four bytes each.
from libc.stdint cimport int64_t, uint16_t, uint32_t

cdef enum:
    CCFB_CELLS = 2048
    CCFB_STREAMS_MAX = 4095        # streams are numbered 0..4094

cdef struct CcfbIndex:
    int64_t newest                 # number; -1 none
    uint32_t cells[2048]

# The number of a stream by its SSRC, -1: not one of ours. `table` is whatever it looks it up in.
ctypedef int (*ccfb_stream_t)(const void *table, uint32_t ssrc) noexcept nogil

cdef void ccfb_index_init(CcfbIndex *index) noexcept nogil
# A packet leaves; numbers ascend
cdef void ccfb_index_add(CcfbIndex *index, int stream, uint16_t seq, int64_t number) noexcept nogil
# The number it left with, by then perhaps forgotten by the history; -1: not known
cdef int64_t ccfb_index_find(const CcfbIndex *index, int stream, uint16_t seq) noexcept nogil
