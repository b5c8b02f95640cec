"""Congestion control feedback as a Python value (RFC 8888 section 3.1)."""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from mediarouter._congestion_feedback cimport (
    CCFB_ARRIVED,
    CCFB_ECN_SHIFT,
    CCFB_HEADER_SIZE,
    CCFB_REPORTS_MAX,
    CCFB_STREAM_SIZE,
    CCFB_TIMESTAMP_SIZE,
    CCFB_UNKNOWN,
    FORMAT_CCFB,
    ccfb_reports_size,
)
from mediarouter._rtcp cimport RTCP_RTPFB, RtcpView
from mediarouter._rtcp_packet cimport RtcpPacket, checked, checked_u32, new_wire, wire_of
from mediarouter._rtp cimport read_u16, read_u32, write_u16, write_u32

from mediarouter.rtcp_rows import CcfbArrival, CcfbStream


cdef const char *check_ccfb(const RtcpView *view) noexcept nogil:
    cdef int at = CCFB_HEADER_SIZE
    cdef int end = view.size - CCFB_TIMESTAMP_SIZE
    while at < end:
        if at + CCFB_STREAM_SIZE > end:
            return "feedback of RFC 8888 has no room for a stream's header"
        if read_u16(view.data + at + 6) > CCFB_REPORTS_MAX:
            return "feedback of RFC 8888 tells about more than 16384 packets of one stream"
        at += CCFB_STREAM_SIZE + ccfb_reports_size(read_u16(view.data + at + 6))
    if at != end:
        return "feedback of RFC 8888 does not hold the reports that it says"
    return NULL


cdef inline object arrival_of(uint16_t report):
    return CcfbArrival(report >> CCFB_ECN_SHIFT & 3, report & CCFB_UNKNOWN)


cdef tuple read_streams(Ccfb packet):
    cdef const uint8_t *data = wire_of(packet)
    cdef int end = packet.size - CCFB_TIMESTAMP_SIZE
    cdef int at = CCFB_HEADER_SIZE
    cdef list streams = []
    cdef list arrivals
    cdef int count, i
    cdef uint16_t report
    while at < end:
        count = read_u16(data + at + 6)
        arrivals = []
        for i in range(count):
            report = read_u16(data + at + CCFB_STREAM_SIZE + 2 * i)
            arrivals.append(arrival_of(report) if report & CCFB_ARRIVED else None)
        streams.append(CcfbStream(read_u32(data + at), read_u16(data + at + 4), tuple(arrivals)))
        at += CCFB_STREAM_SIZE + ccfb_reports_size(count)
    return tuple(streams)


cdef list reports_of(object arrivals):
    cdef list reports = []
    for arrival in arrivals:
        if arrival is None:
            reports.append(0)
        else:
            ecn, offset = arrival
            told = checked(ecn, 3, "ecn") << CCFB_ECN_SHIFT | checked(offset, CCFB_UNKNOWN, "offset")
            reports.append(CCFB_ARRIVED | told)
    if len(reports) > CCFB_REPORTS_MAX:
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
        cdef Py_ssize_t size = CCFB_HEADER_SIZE + CCFB_TIMESTAMP_SIZE
        cdef uint8_t *out
        cdef int i
        for _, _, reports in rows:
            size += CCFB_STREAM_SIZE + ccfb_reports_size(<int>len(reports))
        out = new_wire(self, RTCP_RTPFB, FORMAT_CCFB, size)
        write_u32(out + 4, sender)
        write_u32(out + size - CCFB_TIMESTAMP_SIZE, timestamp)
        out += CCFB_HEADER_SIZE
        for ssrc, begin, reports in rows:
            write_u32(out, ssrc)
            write_u16(out + 4, begin)
            write_u16(out + 6, <uint16_t>len(reports))
            for i, report in enumerate(reports):
                write_u16(out + CCFB_STREAM_SIZE + 2 * i, report)
            out += CCFB_STREAM_SIZE + ccfb_reports_size(<int>len(reports))

    @property
    def sender_ssrc(self):
        """SSRC of whoever reports."""
        return read_u32(wire_of(self) + 4)

    @property
    def report_timestamp(self):
        """When the report was made: middle 32 bits of the NTP timestamp, in 1/65536 s; wraps every 18 hours."""
        return read_u32(wire_of(self) + self.size - CCFB_TIMESTAMP_SIZE)

    @property
    def streams(self):
        """`CcfbStream` values."""
        if self.cached is None:
            self.cached = read_streams(self)
        return self.cached
