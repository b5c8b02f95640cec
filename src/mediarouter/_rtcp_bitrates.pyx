"""Limits on bitrates as Python values: TMMBR and TMMBN, REMB.

Sources: RFC 5104 section 4.2, draft-alvestrand-rmcat-remb-03 section 2.2.
"""

cimport cython
from cpython.number cimport PyNumber_Index
from libc.stdint cimport uint8_t, uint32_t
from mediarouter._rtcp cimport RTCP_PSFB, RTCP_RTPFB, RtcpView
from mediarouter._rtcp_packet cimport FeedbackPacket, RtcpPacket, checked, checked_u32, new_feedback, wire_of
from mediarouter._rtp cimport read_u24, read_u32, write_u24, write_u32

from mediarouter.rtcp_rows import BitrateLimit

cdef enum:
    FEEDBACK_SIZE = 12             # header and both SSRCs
    REMB_SIZE = 20
    FORMAT_TMMBR = 3
    FORMAT_TMMBN = 4
    FORMAT_REMB = 15
    NAME_REMB = 0x52454D42         # "REMB"
    EXPONENT_MAX = 63


cdef uint32_t packed_bitrate(object bitrate_bps, int bits) except? 0xFFFFFFFF:
    # six bits of exponent, then that many of mantissa: the bitrate rounded down
    cdef object largest = (<object>((1 << bits) - 1)) << EXPONENT_MAX
    cdef object number = PyNumber_Index(bitrate_bps)
    cdef int exponent
    if not 0 <= number <= largest:
        raise ValueError(f"bitrate_bps must be 0..{largest}")
    exponent = max(0, number.bit_length() - bits)
    return <uint32_t>exponent << bits | <uint32_t>(number >> exponent)


cdef int write_limits(RtcpPacket packet, int form, object sender_ssrc, object media_ssrc, object limits) except -1:
    cdef list rows = []
    cdef Py_ssize_t i
    cdef uint8_t *out
    for ssrc, bitrate_bps, overhead in limits:
        rows.append((checked_u32(ssrc, "ssrc"),
                     packed_bitrate(bitrate_bps, 17) << 9 | <uint32_t>checked(overhead, 0x1FF, "overhead")))
    if not rows and form == FORMAT_TMMBR:
        raise ValueError("a TMMBR needs at least one limit")
    out = new_feedback(packet, RTCP_RTPFB, form, sender_ssrc, media_ssrc, FEEDBACK_SIZE + 8 * len(rows))
    for i, (ssrc, packed) in enumerate(rows):
        write_u32(out + FEEDBACK_SIZE + 8 * i, ssrc)
        write_u32(out + FEEDBACK_SIZE + 8 * i + 4, packed)
    return 0


cdef tuple read_limits(RtcpPacket packet):
    cdef const uint8_t *data = wire_of(packet)
    cdef list found = []
    cdef uint32_t packed
    cdef int at
    for at in range(FEEDBACK_SIZE, packet.size, 8):
        packed = read_u32(data + at + 4)
        found.append(BitrateLimit(read_u32(data + at), (<object>(packed >> 9 & 0x1FFFF)) << (packed >> 26),
                                  packed & 0x1FF))
    return tuple(found)


cdef const char *check_tmmbr(const RtcpView *view) noexcept nogil:
    if view.size < FEEDBACK_SIZE + 8 or (view.size - FEEDBACK_SIZE) & 7:
        return "a TMMBR does not hold whole limits, one at least"
    return NULL


cdef const char *check_tmmbn(const RtcpView *view) noexcept nogil:
    if view.size < FEEDBACK_SIZE or (view.size - FEEDBACK_SIZE) & 7:
        return "a TMMBN does not hold whole limits"
    return NULL


@cython.final
cdef class Tmmbr(FeedbackPacket):
    """Temporary maximum media bitrate request: send no more than this.

    Args:
        sender_ssrc: of whoever asks.
        limits: `BitrateLimit` values, one at least: SSRC asked, bit/s with 17 significant bits up to 2**80 (rounded
            down), overhead 0..511 bytes a packet.
        media_ssrc: has no meaning and should be 0.

    Raises:
        ValueError: a field is out of range, or there is none.

    Source: RFC 5104 section 4.2.1.
    """

    __match_args__ = ("sender_ssrc", "limits", "media_ssrc")

    def __init__(self, sender_ssrc, limits, media_ssrc=0):
        write_limits(self, FORMAT_TMMBR, sender_ssrc, media_ssrc, limits)

    @property
    def limits(self):
        """`BitrateLimit` values."""
        return read_limits(self)


@cython.final
cdef class Tmmbn(FeedbackPacket):
    """Temporary maximum media bitrate notification: the limits that a sender keeps to now, and who set them.

    Args:
        sender_ssrc: of the sender.
        limits: `BitrateLimit` values, as in `Tmmbr`; their SSRCs are of those who asked. There may be none.
        media_ssrc: has no meaning and should be 0.

    Raises:
        ValueError: a field is out of range.

    Source: RFC 5104 section 4.2.2.
    """

    __match_args__ = ("sender_ssrc", "limits", "media_ssrc")

    def __init__(self, sender_ssrc, limits=(), media_ssrc=0):
        write_limits(self, FORMAT_TMMBN, sender_ssrc, media_ssrc, limits)

    @property
    def limits(self):
        """`BitrateLimit` values."""
        return read_limits(self)


cdef bint is_remb(const RtcpView *view) noexcept nogil:
    return view.size >= REMB_SIZE and read_u32(view.data + FEEDBACK_SIZE) == <uint32_t>NAME_REMB


cdef const char *check_remb(const RtcpView *view) noexcept nogil:
    if view.size != REMB_SIZE + 4 * view.data[16]:
        return "a REMB does not hold the count of sources that it says"
    return NULL


@cython.final
cdef class Remb(FeedbackPacket):
    """Receiver estimated maximum bitrate.

    Args:
        sender_ssrc: of the receiver that estimates.
        bitrate_bps: all of the sources together, in bit/s; 18 significant bits up to 2**81, rounded down.
        ssrcs: the sources, at most 255.
        media_ssrc: has no meaning and should be 0.

    Raises:
        ValueError: a field is out of range.

    Source: draft-alvestrand-rmcat-remb-03 section 2.2.
    """

    __match_args__ = ("sender_ssrc", "bitrate_bps", "ssrcs", "media_ssrc")

    def __init__(self, sender_ssrc, bitrate_bps, ssrcs=(), media_ssrc=0):
        cdef list sources = [checked_u32(ssrc, "ssrcs") for ssrc in ssrcs]
        cdef uint32_t packed = packed_bitrate(bitrate_bps, 18)
        cdef Py_ssize_t i
        cdef uint8_t *out
        if len(sources) > 255:
            raise ValueError("ssrcs must be at most 255 sources")
        out = new_feedback(self, RTCP_PSFB, FORMAT_REMB, sender_ssrc, media_ssrc, REMB_SIZE + 4 * len(sources))
        write_u32(out + FEEDBACK_SIZE, NAME_REMB)
        out[16] = <uint8_t>len(sources)
        write_u24(out + 17, packed)
        for i in range(len(sources)):
            write_u32(out + REMB_SIZE + 4 * i, sources[i])

    @property
    def bitrate_bps(self):
        """All of the sources together, in bit/s."""
        cdef uint32_t packed = read_u24(wire_of(self) + 17)
        return (<object>(packed & 0x3FFFF)) << (packed >> 18)

    @property
    def ssrcs(self):
        """The sources, at most 255."""
        cdef const uint8_t *data = wire_of(self)
        cdef int at
        return tuple([read_u32(data + at) for at in range(REMB_SIZE, self.size, 4)])
