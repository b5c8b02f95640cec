"""One RTCP packet as a Python value, and those whose type nobody here knows (RFC 3550 section 6.1).

Theory of operation
A value is its bytes. `parse` checks once that the lengths and counts inside a packet agree, copies the bytes and is
done; a property reads its field when it is asked for, a list of rows is made the first time and kept. So
`bytes(packet)` is what came, padding and reserved bits included, and a packet that nobody looks into costs one
allocation.
A constructor checks every field and writes the bytes.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.number cimport PyNumber_Index
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from mediarouter._rtp cimport read_u32, write_u16, write_u32

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        object (*tp_new)(type, object, void *)

cdef tuple NOTHING = ()


@cython.freelist(128)
cdef class RtcpPacket:
    """An RTCP packet. It does not change; `copy.replace` (Python 3.13) or `rtcp.replace` makes another one.

    `bytes(packet)` is the packet as it came, bit for bit, or as it was built. Two packets are equal when they are of
    one type and their fields are: padding, reserved bits and other ways to write the same thing do not count.
    """

    __match_args__ = ()

    def __init__(self):
        raise TypeError("RtcpPacket is the base of the packet types; UnknownPacket takes any bytes")

    @property
    def packet_type(self):
        """PT, 0..255: 200 sender report to 207 extended report (RFC 3550 section 12.1)."""
        return wire_of(self)[1]

    @property
    def padding_size(self):
        """Bytes of padding behind the content, their count included: 0..255 (RFC 3550 section 6.4.1, P bit)."""
        wire_of(self)
        return PyBytes_GET_SIZE(self.wire) - self.size

    def __bytes__(self):
        wire_of(self)
        return self.wire

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        return (<RtcpPacket>self).wire == (<RtcpPacket>other).wire or fields_of(self) == fields_of(other)

    def __hash__(self):
        return hash((type(self), fields_of(self)))

    def __repr__(self):
        told = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__match_args__])
        return f"{type(self).__name__}({told})"

    def __reduce__(self):
        wire_of(self)
        return from_wire, (type(self), self.wire, self.size)

    def __replace__(self, **changes):
        """The same packet with other fields; padding goes. Raises TypeError for a field that it does not have."""
        return type(self)(**{**dict(zip(self.__match_args__, fields_of(self))), **changes})


cdef tuple fields_of(object packet):
    return tuple([getattr(packet, name) for name in packet.__match_args__])


cdef object packet_of(type kind, const uint8_t *data, int size, int padding):
    cdef RtcpPacket packet = <RtcpPacket>(<PyTypeObject *>kind).tp_new(kind, NOTHING, NULL)
    packet.wire = PyBytes_FromStringAndSize(<const char *>data, size)
    packet.size = size - padding
    return packet


def from_wire(kind, bytes wire not None, int size):
    """A pickled packet. It is checked like any other: what was not a `kind` is a ValueError."""
    from mediarouter._rtcp_parse import parse

    cdef list found = parse(wire)
    if len(found) != 1 or type(found[0]) is not kind:
        raise ValueError(f"not one {kind.__name__}")
    return found[0]


cdef const uint8_t *wire_of(RtcpPacket packet) except NULL:
    if packet.wire is None:
        raise ValueError("this packet was never initialised")
    return <const uint8_t *>PyBytes_AS_STRING(packet.wire)


cdef uint8_t *new_wire(RtcpPacket packet, int packet_type, int count, Py_ssize_t size) except NULL:
    cdef bytes wire
    cdef uint8_t *out
    if size > RTCP_SIZE_MAX:
        raise ValueError(f"an RTCP packet is at most {RTCP_SIZE_MAX} bytes, this would be {size}")
    if size & 3:
        raise ValueError(f"an RTCP packet is a multiple of 4 bytes, this would be {size}")
    wire = PyBytes_FromStringAndSize(NULL, size)
    out = <uint8_t *>PyBytes_AS_STRING(wire)
    memset(out, 0, size)
    out[0] = <uint8_t>(0x80 | count)
    out[1] = <uint8_t>packet_type
    write_u16(out + 2, <uint16_t>(size // 4 - 1))
    packet.wire = wire
    packet.size = <int>size
    packet.cached = None
    return out


cdef uint8_t *new_feedback(RtcpPacket packet, int packet_type, int form, object sender_ssrc, object media_ssrc,
                           Py_ssize_t size) except NULL:
    cdef uint32_t sender = checked_u32(sender_ssrc, "sender_ssrc")
    cdef uint32_t media = checked_u32(media_ssrc, "media_ssrc")
    cdef uint8_t *out = new_wire(packet, packet_type, form, size)
    write_u32(out + 4, sender)
    write_u32(out + 8, media)
    return out


cdef uint64_t checked(object value, uint64_t largest, str name) except? 0xFFFFFFFFFFFFFFFF:
    cdef object number = PyNumber_Index(value)         # TypeError for 1.5, and for 1.0
    if not 0 <= number <= largest:
        raise ValueError(f"{name} must be 0..{largest}")
    return <uint64_t>number


cdef uint32_t checked_u32(object value, str name) except? 0xFFFFFFFF:
    return <uint32_t>checked(value, 0xFFFFFFFF, name)


cdef bytes octets(object value):
    if type(value) is bytes:
        return <bytes>value
    return (<str>value).encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(memoryview(value))


cdef uint64_t read_u64(const uint8_t *data) noexcept nogil:
    return (<uint64_t>read_u32(data) << 32) | read_u32(data + 4)


cdef void write_u64(uint8_t *data, uint64_t value) noexcept nogil:
    write_u32(data, <uint32_t>(value >> 32))
    write_u32(data + 4, <uint32_t>value)


cdef class FeedbackPacket(RtcpPacket):
    """What the kinds of feedback share: who sends it, and about which stream (RFC 4585 section 6.1)."""

    @property
    def sender_ssrc(self):
        """SSRC of whoever sends the feedback."""
        return read_u32(wire_of(self) + 4)

    @property
    def media_ssrc(self):
        """SSRC of the stream that it is about. It has no meaning where rows name the streams: `Fir`, `Tmmbr`, `Tmmbn`,
        `Remb`."""
        return read_u32(wire_of(self) + 8)


@cython.final
cdef class UnknownPacket(RtcpPacket):
    """A packet of a type or feedback format that has no class here, as it is.

    Args:
        packet_type: PT, 0..255.
        count: the five bits behind version and padding: a count, a subtype or a feedback format, 0..31.
        body: what follows the four bytes of the header, a multiple of 4 bytes.

    Raises:
        ValueError: a field is out of range.

    Source: RFC 3550 section 6.1.
    """

    __match_args__ = ("packet_type", "count", "body")

    def __init__(self, packet_type, count, body=b""):
        cdef bytes content = octets(body)
        cdef uint8_t *out = new_wire(self, <int>checked(packet_type, 0xFF, "packet_type"),
                                     <int>checked(count, 31, "count"), 4 + PyBytes_GET_SIZE(content))
        memcpy(out + 4, PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content))

    @property
    def count(self):
        """The five bits behind version and padding, 0..31."""
        return wire_of(self)[0] & 0x1F

    @property
    def body(self):
        """What follows the header, padding not included."""
        return (<const char *>wire_of(self))[4:self.size]
