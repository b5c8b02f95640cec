"""Sender and receiver reports as Python values (RFC 3550 sections 6.4.1 and 6.4.2)."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.number cimport PyNumber_Index
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from mediarouter._rtcp cimport RTCP_RR, RTCP_SR, RtcpView, rtcp_read_report
from mediarouter._rtcp_packet cimport RtcpPacket, checked, checked_u32, new_wire, octets, read_u64, wire_of, write_u64
from mediarouter._rtp cimport read_u32, write_u24, write_u32

cdef enum:
    SENDER_BLOCKS = 28             # where the blocks of a sender report begin
    RECEIVER_BLOCKS = 8
    BLOCK_SIZE = 24
    BLOCKS_MAX = 31


@cython.final
@cython.freelist(128)
cdef class ReportBlock:
    """What a receiver tells about one stream (RFC 3550 section 6.4.1).

    Args:
        ssrc: of the stream told about.
        fraction_lost: since the last report, in 1/256 of what was expected, 0..255.
        cumulative_lost: packets lost since the beginning, -8388608..8388607; negative when duplicates outnumber losses.
        highest_sequence_number: received so far, 32 bits: cycles, then sequence number.
        jitter: interarrival jitter in RTP clock units, 32 bits.
        last_sr: the middle 32 bits of the last sender report's NTP timestamp, 0 when there was none.
        delay_since_last_sr: between that report's arrival and this one's sending, in 1/65536 s, 32 bits.

    Raises:
        ValueError: a field is out of range.
        TypeError: a field is no integer.
    """

    __match_args__ = ("ssrc", "fraction_lost", "cumulative_lost", "highest_sequence_number", "jitter", "last_sr",
                      "delay_since_last_sr")

    def __init__(self, ssrc, fraction_lost=0, cumulative_lost=0, highest_sequence_number=0, jitter=0, last_sr=0,
                 delay_since_last_sr=0):
        cdef object lost = PyNumber_Index(cumulative_lost)
        if not -0x800000 <= lost <= 0x7FFFFF:
            raise ValueError("cumulative_lost must be -8388608..8388607")
        self.fields.ssrc = checked_u32(ssrc, "ssrc")
        self.fields.fraction_lost = <uint8_t>checked(fraction_lost, 0xFF, "fraction_lost")
        self.fields.cumulative_lost = <int32_t>lost
        self.fields.highest_seq = checked_u32(highest_sequence_number, "highest_sequence_number")
        self.fields.jitter = checked_u32(jitter, "jitter")
        self.fields.last_sr = checked_u32(last_sr, "last_sr")
        self.fields.delay_since_last_sr = checked_u32(delay_since_last_sr, "delay_since_last_sr")

    @property
    def ssrc(self):
        """Of the stream told about."""
        return self.fields.ssrc

    @property
    def fraction_lost(self):
        """Since the last report, in 1/256 of what was expected."""
        return self.fields.fraction_lost

    @property
    def cumulative_lost(self):
        """Packets lost since the beginning; negative when duplicates outnumber losses."""
        return self.fields.cumulative_lost

    @property
    def highest_sequence_number(self):
        """Received so far, 32 bits: cycles, then sequence number."""
        return self.fields.highest_seq

    @property
    def jitter(self):
        """Interarrival jitter in RTP clock units."""
        return self.fields.jitter

    @property
    def last_sr(self):
        """The middle 32 bits of the last sender report's NTP timestamp, 0 when there was none."""
        return self.fields.last_sr

    @property
    def delay_since_last_sr(self):
        """Between that report's arrival and this one's sending, in 1/65536 s."""
        return self.fields.delay_since_last_sr

    def __eq__(self, other):
        if not isinstance(other, ReportBlock):
            return NotImplemented
        return block_fields(self) == block_fields(other)

    def __hash__(self):
        return hash(block_fields(self))

    def __repr__(self):
        return "ReportBlock(" + ", ".join([f"{name}={getattr(self, name)}" for name in self.__match_args__]) + ")"

    def __reduce__(self):
        return ReportBlock, block_fields(self)

    def __replace__(self, **changes):
        """The same block with other fields."""
        return ReportBlock(**{**dict(zip(self.__match_args__, block_fields(self))), **changes})


cdef tuple block_fields(ReportBlock block):
    return (block.fields.ssrc, block.fields.fraction_lost, block.fields.cumulative_lost, block.fields.highest_seq,
            block.fields.jitter, block.fields.last_sr, block.fields.delay_since_last_sr)


cdef tuple read_blocks(RtcpPacket packet):
    cdef RtcpView view
    cdef ReportBlock block
    cdef list found = []
    cdef int i
    view.data = wire_of(packet)
    view.size = packet.size
    view.packet_type = view.data[1]
    for i in range(view.data[0] & 0x1F):
        block = ReportBlock.__new__(ReportBlock)
        rtcp_read_report(&view, i, &block.fields)
        found.append(block)
    return tuple(found)


cdef uint8_t *new_report(RtcpPacket packet, int packet_type, int blocks_at, object reports,
                         object extension) except NULL:
    # header, blocks and extension; what is before the blocks is for the caller to write
    cdef tuple blocks = tuple(reports)
    cdef bytes more = octets(extension)
    cdef int count = <int>len(blocks)
    cdef ReportBlock block
    cdef uint8_t *out
    cdef uint8_t *at
    if count > BLOCKS_MAX:
        raise ValueError("reports must be at most 31 blocks; send another report for more")
    for row in blocks:
        if not isinstance(row, ReportBlock):
            raise TypeError("reports must be ReportBlock values")
    if PyBytes_GET_SIZE(more) & 3:
        raise ValueError("extension must be a multiple of 4 bytes")
    out = new_wire(packet, packet_type, count, blocks_at + BLOCK_SIZE * count + PyBytes_GET_SIZE(more))
    at = out + blocks_at
    for row in blocks:
        block = <ReportBlock>row
        write_u32(at, block.fields.ssrc)
        at[4] = block.fields.fraction_lost
        write_u24(at + 5, <uint32_t>block.fields.cumulative_lost)
        write_u32(at + 8, block.fields.highest_seq)
        write_u32(at + 12, block.fields.jitter)
        write_u32(at + 16, block.fields.last_sr)
        write_u32(at + 20, block.fields.delay_since_last_sr)
        at += BLOCK_SIZE
    memcpy(at, PyBytes_AS_STRING(more), PyBytes_GET_SIZE(more))
    return out


cdef const char *check_sender_report(const RtcpView *view) noexcept nogil:
    if view.size < SENDER_BLOCKS + BLOCK_SIZE * view.count:
        return "a sender report is shorter than its count of blocks asks for"
    return NULL


cdef const char *check_receiver_report(const RtcpView *view) noexcept nogil:
    if view.size < RECEIVER_BLOCKS + BLOCK_SIZE * view.count:
        return "a receiver report is shorter than its count of blocks asks for"
    return NULL


cdef class ReportPacket(RtcpPacket):
    """What sender and receiver reports share (RFC 3550 section 6.4)."""

    @property
    def ssrc(self):
        """Of whoever made the report; in a sender report of the stream that it tells about."""
        return read_u32(wire_of(self) + 4)

    @property
    def reports(self):
        """About streams received: `ReportBlock` values, at most 31."""
        if self.cached is None:
            self.cached = read_blocks(self)
        return self.cached

    @property
    def extension(self):
        """Profile-specific bytes behind the blocks."""
        cdef const uint8_t *data = wire_of(self)
        cdef int at = SENDER_BLOCKS if data[1] == RTCP_SR else RECEIVER_BLOCKS
        return (<const char *>data)[at + BLOCK_SIZE * (data[0] & 0x1F):self.size]


@cython.final
cdef class SenderReport(ReportPacket):
    """What a sender has sent, and how it receives others.

    Args:
        ssrc: of the sender's stream.
        ntp_timestamp: when the report was made, 64 bits: seconds since 1900, then 1/2**32 s.
        rtp_timestamp: the same instant on the stream's RTP clock, 32 bits.
        packet_count: RTP packets sent so far, 32 bits.
        octet_count: bytes of payload sent so far, 32 bits.
        reports: at most 31 blocks about streams received.
        extension: profile-specific, a multiple of 4 bytes.

    Raises:
        ValueError: a field is out of range.

    Source: RFC 3550 section 6.4.1.
    """

    __match_args__ = ("ssrc", "ntp_timestamp", "rtp_timestamp", "packet_count", "octet_count", "reports", "extension")

    def __init__(self, ssrc, ntp_timestamp, rtp_timestamp, packet_count, octet_count, reports=(), extension=b""):
        cdef uint32_t source = checked_u32(ssrc, "ssrc")
        cdef uint64_t ntp = checked(ntp_timestamp, 0xFFFFFFFFFFFFFFFF, "ntp_timestamp")
        cdef uint32_t rtp = checked_u32(rtp_timestamp, "rtp_timestamp")
        cdef uint32_t packets = checked_u32(packet_count, "packet_count")
        cdef uint32_t bytes_sent = checked_u32(octet_count, "octet_count")
        cdef uint8_t *out = new_report(self, RTCP_SR, SENDER_BLOCKS, reports, extension)
        write_u32(out + 4, source)
        write_u64(out + 8, ntp)
        write_u32(out + 16, rtp)
        write_u32(out + 20, packets)
        write_u32(out + 24, bytes_sent)

    @property
    def ntp_timestamp(self):
        """When the report was made, 64 bits: seconds since 1900, then 1/2**32 s."""
        return read_u64(wire_of(self) + 8)

    @property
    def rtp_timestamp(self):
        """The same instant on the stream's RTP clock."""
        return read_u32(wire_of(self) + 16)

    @property
    def packet_count(self):
        """RTP packets sent so far; wraps at 2**32."""
        return read_u32(wire_of(self) + 20)

    @property
    def octet_count(self):
        """Bytes of payload sent so far; wraps at 2**32."""
        return read_u32(wire_of(self) + 24)


@cython.final
cdef class ReceiverReport(ReportPacket):
    """How somebody receives the streams of others.

    Args:
        ssrc: of whoever made the report.
        reports: at most 31 blocks.
        extension: profile-specific, a multiple of 4 bytes.

    Raises:
        ValueError: a field is out of range.

    Source: RFC 3550 section 6.4.2.
    """

    __match_args__ = ("ssrc", "reports", "extension")

    def __init__(self, ssrc, reports=(), extension=b""):
        cdef uint32_t source = checked_u32(ssrc, "ssrc")
        write_u32(new_report(self, RTCP_RR, RECEIVER_BLOCKS, reports, extension) + 4, source)
