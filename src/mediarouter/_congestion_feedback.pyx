"""Congestion control feedback on the wire (RFC 8888 section 3.1); `_congestion_feedback.pxd` has the words."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from mediarouter._drop cimport DROP_RTCP_LENGTH, DROP_RTCP_SHORT
from mediarouter._rtcp cimport RTCP_RTPFB
from mediarouter._rtp cimport read_u16, read_u32, write_u16, write_u32


cdef int ccfb_check(const uint8_t *data, int size) noexcept nogil:
    cdef int at = CCFB_HEADER_SIZE
    cdef int end = size - CCFB_TIMESTAMP_SIZE
    cdef int count
    if end < at:
        return DROP_RTCP_SHORT
    while at < end:
        if at + CCFB_STREAM_SIZE > end:
            return DROP_RTCP_LENGTH
        count = read_u16(data + at + 6)
        if count > CCFB_REPORTS_MAX:
            return DROP_RTCP_LENGTH
        at += CCFB_STREAM_SIZE + ccfb_reports_size(count)
    return 0 if at == end else DROP_RTCP_LENGTH


cdef int ccfb_next(const uint8_t *data, int size, int at, CcfbStreamView *stream) noexcept nogil:
    if at >= size - CCFB_TIMESTAMP_SIZE:
        return 0
    stream.ssrc = read_u32(data + at)
    stream.begin_seq = read_u16(data + at + 4)
    stream.count = read_u16(data + at + 6)
    stream.reports = data + at + CCFB_STREAM_SIZE
    return at + CCFB_STREAM_SIZE + ccfb_reports_size(stream.count)


cdef uint32_t ccfb_timestamp(const uint8_t *data, int size) noexcept nogil:
    return read_u32(data + size - CCFB_TIMESTAMP_SIZE)


# ---- writing

cdef void ccfb_writer_init(CcfbWriter *writer, uint8_t *out, int capacity) noexcept nogil:
    writer.out = out
    writer.capacity = capacity
    writer.size = CCFB_HEADER_SIZE
    writer.stream_at = 0


cdef void close_stream(CcfbWriter *writer) noexcept nogil:
    cdef int filled
    if writer.stream_at == 0:
        return
    filled = (writer.size - writer.stream_at - CCFB_STREAM_SIZE) // 2
    write_u16(writer.out + writer.stream_at + 6, <uint16_t>filled)
    if filled & 1:
        write_u16(writer.out + writer.size, 0)
        writer.size += 2
    writer.stream_at = 0


cdef bint ccfb_writer_begin(CcfbWriter *writer, uint32_t ssrc, uint16_t begin_seq) noexcept nogil:
    # a word for its first report, and what the open stream may be filled up by
    if writer.size + 2 + CCFB_STREAM_SIZE + 4 + CCFB_TIMESTAMP_SIZE > writer.capacity:
        return False
    close_stream(writer)
    writer.stream_at = writer.size
    write_u32(writer.out + writer.size, ssrc)
    write_u16(writer.out + writer.size + 4, begin_seq)
    writer.size += CCFB_STREAM_SIZE
    return True


cdef bint ccfb_writer_add(CcfbWriter *writer, uint16_t report) noexcept nogil:
    cdef int filled = (writer.size - writer.stream_at - CCFB_STREAM_SIZE) // 2
    if writer.size + 4 + CCFB_TIMESTAMP_SIZE > writer.capacity or filled >= CCFB_REPORTS_MAX:
        return False
    write_u16(writer.out + writer.size, report)
    writer.size += 2
    return True


cdef int ccfb_writer_finish(CcfbWriter *writer, uint32_t sender_ssrc, uint32_t timestamp) noexcept nogil:
    close_stream(writer)
    write_u32(writer.out + writer.size, timestamp)
    writer.size += CCFB_TIMESTAMP_SIZE
    writer.out[0] = 0x80 | FORMAT_CCFB
    writer.out[1] = RTCP_RTPFB
    write_u16(writer.out + 2, <uint16_t>(writer.size // 4 - 1))
    write_u32(writer.out + 4, sender_ssrc)
    return writer.size


# ---- the Python face

def read(bytes data not None):
    """(sender's SSRC, timestamp, [(SSRC, first number, reports of 16 bits)]) of one RTCP packet, by the functions that
    the engine uses; None: it contradicts itself. `data` is without padding."""
    cdef const uint8_t *packet = data
    cdef CcfbStreamView stream
    cdef int size = <int>min(len(data), 65535)
    cdef int at = CCFB_HEADER_SIZE
    cdef int i
    cdef list streams = []
    if ccfb_check(packet, size) < 0:
        return None
    while True:
        at = ccfb_next(packet, size, at, &stream)
        if at == 0:
            return read_u32(packet + 4), ccfb_timestamp(packet, size), streams
        streams.append((stream.ssrc, stream.begin_seq, [read_u16(stream.reports + 2 * i) for i in range(stream.count)]))


def write(uint32_t sender_ssrc, uint32_t timestamp, list streams not None, int capacity=1200):
    """As much of `read`'s streams as a packet of `capacity` bytes (28..1500) holds: its bytes, and how many reports.

    Raises:
        ValueError: `capacity` is out of range.
    """
    cdef uint8_t out[1500]
    cdef CcfbWriter writer
    cdef int told = 0
    if not 28 <= capacity <= 1500:
        raise ValueError("capacity must be 28..1500 bytes")
    ccfb_writer_init(&writer, out, capacity)
    for ssrc, begin_seq, reports in streams:
        if not reports or not ccfb_writer_begin(&writer, ssrc, begin_seq):
            break
        for report in reports:
            if not ccfb_writer_add(&writer, report):
                return (<char *>out)[:ccfb_writer_finish(&writer, sender_ssrc, timestamp)], told
            told += 1
    return (<char *>out)[:ccfb_writer_finish(&writer, sender_ssrc, timestamp)], told
