# Congestion control feedback on the wire (RFC 8888 section 3.1): RTCP type 205, format 11. Reading for whoever sent the
# media, writing for whoever received it; the packet as a Python value is in _rtcp_ccfb.
from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:
    FORMAT_CCFB = 11
    CCFB_HEADER_SIZE = 8           # header and the sender's SSRC; there is no media SSRC
    CCFB_STREAM_SIZE = 8           # SSRC, first sequence number, number of reports
    CCFB_TIMESTAMP_SIZE = 4
    CCFB_REPORTS_MAX = 16384       # of one stream
    CCFB_ARRIVED = 0x8000          # a report: this bit, two of ECN, and how long before the report in 1/1024 s, 13 bits
    CCFB_ECN_SHIFT = 13
    CCFB_OFFSET_MAX = 8189
    CCFB_OVER_RANGE = 0x1FFE       # longer ago than that
    CCFB_UNKNOWN = 0x1FFF          # no time is told

cdef struct CcfbStreamView:        # what a report tells of one stream; borrows its bytes
    uint32_t ssrc
    uint16_t begin_seq
    uint16_t count                 # of the reports, 16 bits each, big endian
    const uint8_t *reports

# Does the packet hold what it promises? 0, or a Drop code. `data` is the whole RTCP packet, its padding cut off.
cdef int ccfb_check(const uint8_t *data, int size) noexcept nogil
# The stream at an offset of a checked packet, the first at CCFB_HEADER_SIZE: the offset of the next, 0 at the end
cdef int ccfb_next(const uint8_t *data, int size, int at, CcfbStreamView *stream) noexcept nogil
# When the report was made: middle 32 bits of the NTP timestamp, 1/65536 s
cdef uint32_t ccfb_timestamp(const uint8_t *data, int size) noexcept nogil

cdef inline int ccfb_reports_size(int count) noexcept nogil:
    return 2 * (count + (count & 1))       # an odd number is filled up to a word

# Writes one packet, stream by stream
cdef struct CcfbWriter:
    uint8_t *out
    int capacity                   # bytes of `out`
    int size
    int stream_at                  # where the open stream begins; 0: none is open

cdef void ccfb_writer_init(CcfbWriter *writer, uint8_t *out, int capacity) noexcept nogil
# False: no room for a stream of one report. Nothing has changed, finish this packet.
cdef bint ccfb_writer_begin(CcfbWriter *writer, uint32_t ssrc, uint16_t begin_seq) noexcept nogil
# False: no room, or the stream has as many as it may
cdef bint ccfb_writer_add(CcfbWriter *writer, uint16_t report) noexcept nogil
# Bytes of the packet, a multiple of four
cdef int ccfb_writer_finish(CcfbWriter *writer, uint32_t sender_ssrc, uint32_t timestamp) noexcept nogil
