"""Congestion control feedback as a Python value (RFC 8888 section 3.1)."""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from mediarouter._rtcp cimport RTCP_RTPFB, RtcpView
from mediarouter._rtcp_packet cimport RtcpPacket, checked, checked_u32, new_wire, wire_of
from mediarouter._rtp cimport read_u16, read_u32, write_u16, write_u32

from mediarouter.rtcp_rows import CcfbArrival, CcfbStream

cdef enum:
    FORMAT_CCFB = 11
    STREAMS_OFFSET = 8             # header and the sender's SSRC; there is no media SSRC
    STREAM_SIZE = 8                # SSRC, first sequence number, number of reports
    TIMESTAMP_SIZE = 4
    REPORTS_MAX = 16384
    ARRIVED = 0x8000
    UNKNOWN = 0x1FFF


cdef inline int reports_size(int count) noexcept nogil:
    return 2 * (count + (count & 1))       # an odd number is filled up to a word


cdef const char *check_ccfb(const RtcpView *view) noexcept nogil:
    cdef int at = STREAMS_OFFSET
    cdef int end = view.size - TIMESTAMP_SIZE
    while at < end:
        if at + STREAM_SIZE > end:
            return "feedback of RFC 8888 has no room for a stream's header"
        if read_u16(view.data + at + 6) > REPORTS_MAX:
            return "feedback of RFC 8888 tells about more than 16384 packets of one stream"
        at += STREAM_SIZE + reports_size(read_u16(view.data + at + 6))
    if at != end:
        return "feedback of RFC 8888 does not hold the reports that it says"
    return NULL


cdef tuple read_streams(Ccfb packet):
    cdef const uint8_t *data = wire_of(packet)
    cdef int end = packet.size - TIMESTAMP_SIZE
    cdef int at = STREAMS_OFFSET
    cdef list streams = []
    cdef list arrivals
    cdef int count, i
    cdef uint16_t report
    while at < end:
        count = read_u16(data + at + 6)
        arrivals = []
        for i in range(count):
            report = read_u16(data + at + STREAM_SIZE + 2 * i)
            arrivals.append(CcfbArrival(report >> 13 & 3, report & UNKNOWN) if report & ARRIVED else None)
        streams.append(CcfbStream(read_u32(data + at), read_u16(data + at + 4), tuple(arrivals)))
        at += STREAM_SIZE + reports_size(count)
    return tuple(streams)


cdef list reports_of(object arrivals):
    cdef list reports = []
    for arrival in arrivals:
        if arrival is None:
            reports.append(0)
        else:
            ecn, offset = arrival
            reports.append(ARRIVED | checked(ecn, 3, "ecn") << 13 | checked(offset, UNKNOWN, "offset"))
    if len(reports) > REPORTS_MAX:
        raise ValueError("arrivals must be at most 16384 of one stream")
    return reports


@cython.final
cdef class Ccfb(RtcpPacket):
    """Which packets of which stream arrived, when, and how they were marked on the way.

    Args:
        sender_ssrc: of whoever reports.
        report_timestamp: when the report was made: middle 32 bits of the NTP timestamp, in 1/65536 s.
        streams: `CcfbStream` values: SSRC, sequence number of the first packet, and for it and each following one a
            `CcfbArrival` (ECN 0..3, offset 0..8191 in 1/1024 s before the report), or None when it did not arrive.

    Raises:
        ValueError: a field is out of range.

    Source: RFC 8888 section 3.1.
    """

    __match_args__ = ("sender_ssrc", "report_timestamp", "streams")

    def __init__(self, sender_ssrc, report_timestamp, streams=()):
        cdef list rows = [(checked_u32(ssrc, "ssrc"), checked(begin, 0xFFFF, "begin_sequence_number"),
                           reports_of(arrivals)) for ssrc, begin, arrivals in streams]
        cdef uint32_t sender = checked_u32(sender_ssrc, "sender_ssrc")
        cdef uint32_t timestamp = checked_u32(report_timestamp, "report_timestamp")
        cdef Py_ssize_t size = STREAMS_OFFSET + TIMESTAMP_SIZE
        cdef uint8_t *out
        cdef int i
        for _, _, reports in rows:
            size += STREAM_SIZE + reports_size(<int>len(reports))
        out = new_wire(self, RTCP_RTPFB, FORMAT_CCFB, size)
        write_u32(out + 4, sender)
        write_u32(out + size - TIMESTAMP_SIZE, timestamp)
        out += STREAMS_OFFSET
        for ssrc, begin, reports in rows:
            write_u32(out, ssrc)
            write_u16(out + 4, begin)
            write_u16(out + 6, <uint16_t>len(reports))
            for i, report in enumerate(reports):
                write_u16(out + STREAM_SIZE + 2 * i, report)
            out += STREAM_SIZE + reports_size(<int>len(reports))

    @property
    def sender_ssrc(self):
        """SSRC of whoever reports."""
        return read_u32(wire_of(self) + 4)

    @property
    def report_timestamp(self):
        """When the report was made: middle 32 bits of the NTP timestamp, in 1/65536 s; wraps every 18 hours."""
        return read_u32(wire_of(self) + self.size - TIMESTAMP_SIZE)

    @property
    def streams(self):
        """`CcfbStream` values."""
        if self.cached is None:
            self.cached = read_streams(self)
        return self.cached
