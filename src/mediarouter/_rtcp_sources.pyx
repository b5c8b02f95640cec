"""Source descriptions, goodbyes and application packets as Python values (RFC 3550 sections 6.5 to 6.7)."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.number cimport PyNumber_Index
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy
from mediarouter._rtcp cimport RTCP_APP, RTCP_BYE, RTCP_SDES, RtcpView
from mediarouter._rtcp_packet cimport RtcpPacket, checked, checked_u32, new_wire, octets, wire_of
from mediarouter._rtp cimport read_u32, write_u32

from mediarouter.rtcp_rows import SdesChunk, SdesItem

cdef enum:
    HEADER_SIZE = 4
    APP_SIZE = 12
    COUNT_MAX = 31


cdef bint all_zero(const uint8_t *data, int size) noexcept nogil:
    cdef int i
    for i in range(size):
        if data[i]:
            return False
    return True


cdef const char *check_sdes(const RtcpView *view) noexcept nogil:
    cdef int at = HEADER_SIZE
    cdef int _
    for _ in range(view.count):
        if at + 4 > view.size:
            return "an SDES chunk is missing"
        at += 4
        while at < view.size and view.data[at]:
            if at + 2 > view.size or at + 2 + view.data[at + 1] > view.size:
                return "an SDES item runs past the packet"
            at += 2 + view.data[at + 1]
        if at >= view.size:
            return "an SDES chunk has no end"
        at = (at + 4) & ~3
    # some write a word of zeros too many
    if at < view.size and not all_zero(view.data + at, view.size - at):
        return "there is more than its SDES chunks in a source description"
    return NULL


cdef tuple read_chunks(Sdes packet):
    cdef const uint8_t *data = wire_of(packet)
    cdef int at = HEADER_SIZE
    cdef list chunks = []
    cdef list items
    cdef int _
    cdef uint32_t ssrc
    for _ in range(data[0] & 0x1F):
        ssrc = read_u32(data + at)
        at += 4
        items = []
        while data[at]:
            items.append(SdesItem(data[at], (<const char *>data)[at + 2:at + 2 + data[at + 1]]))
            at += 2 + data[at + 1]
        at = (at + 4) & ~3
        chunks.append(SdesChunk(ssrc, tuple(items)))
    return tuple(chunks)


cdef bytes chunk_bytes(object ssrc, object items):
    cdef uint8_t head[4]
    cdef bytearray out = bytearray()
    cdef bytes content
    cdef object kind
    write_u32(head, checked_u32(ssrc, "ssrc"))
    out += (<const char *>head)[:4]
    for item_type, value in items:
        content = octets(value)
        kind = PyNumber_Index(item_type)
        if not 1 <= kind <= 255:
            raise ValueError("the type of an SDES item must be 1..255")
        if PyBytes_GET_SIZE(content) > 255:
            raise ValueError("the value of an SDES item must be at most 255 bytes")
        out.append(kind)
        out.append(PyBytes_GET_SIZE(content))
        out += content
    out += b"\0" * (4 - (len(out) & 3))
    return bytes(out)


@cython.final
cdef class Sdes(RtcpPacket):
    """Source descriptions: who is behind an SSRC.

    Args:
        chunks: at most 31 `SdesChunk` values, or pairs of SSRC and [(item type 1..255, value)].

    Raises:
        ValueError: a field is out of range.

    Source: RFC 3550 section 6.5.
    """

    __match_args__ = ("chunks",)

    def __init__(self, chunks=()):
        cdef list written = [chunk_bytes(ssrc, items) for ssrc, items in chunks]
        cdef bytes content = b"".join(written)
        cdef uint8_t *out
        if len(written) > COUNT_MAX:
            raise ValueError("chunks must be at most 31")
        out = new_wire(self, RTCP_SDES, <int>len(written), HEADER_SIZE + PyBytes_GET_SIZE(content))
        memcpy(out + HEADER_SIZE, PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content))

    @property
    def chunks(self):
        """`SdesChunk` values, at most 31."""
        if self.cached is None:
            self.cached = read_chunks(self)
        return self.cached


cdef const char *check_bye(const RtcpView *view) noexcept nogil:
    cdef int at = HEADER_SIZE + 4 * view.count
    cdef int end
    if at > view.size:
        return "a BYE is shorter than its count of sources asks for"
    if at < view.size:
        end = at + 1 + view.data[at]
        if end > view.size:
            return "the reason of a BYE runs past the packet"
        if view.size - end > 3 or not all_zero(view.data + end, view.size - end):
            return "there is more than a reason behind the sources of a BYE"
    return NULL


@cython.final
cdef class Bye(RtcpPacket):
    """Sources that leave.

    Args:
        ssrcs: at most 31 sources.
        reason: text or bytes, at most 255 bytes of UTF-8; None for none.

    Raises:
        ValueError: a field is out of range.

    Source: RFC 3550 section 6.6.
    """

    __match_args__ = ("ssrcs", "reason")

    def __init__(self, ssrcs, reason=None):
        cdef list sources = [checked_u32(source, "ssrcs") for source in ssrcs]
        cdef bytes text = b"" if reason is None else octets(reason)
        cdef Py_ssize_t size = HEADER_SIZE + 4 * len(sources)
        cdef Py_ssize_t i
        cdef uint8_t *out
        if len(sources) > COUNT_MAX:
            raise ValueError("ssrcs must be at most 31 sources")
        if PyBytes_GET_SIZE(text) > 255:
            raise ValueError("reason must be at most 255 bytes")
        out = new_wire(self, RTCP_BYE, <int>len(sources),
                       size if reason is None else (size + 1 + PyBytes_GET_SIZE(text) + 3) & ~3)
        for i, source in enumerate(sources):
            write_u32(out + HEADER_SIZE + 4 * i, source)
        if reason is not None:
            out[size] = <uint8_t>PyBytes_GET_SIZE(text)
            memcpy(out + size + 1, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))

    @property
    def ssrcs(self):
        """The sources, at most 31."""
        cdef const uint8_t *data = wire_of(self)
        cdef int i
        return tuple([read_u32(data + HEADER_SIZE + 4 * i) for i in range(data[0] & 0x1F)])

    @property
    def reason(self):
        """Why, as it was sent (UTF-8, at most 255 bytes), None when it was not told."""
        cdef const uint8_t *data = wire_of(self)
        cdef int at = HEADER_SIZE + 4 * (data[0] & 0x1F)
        return (<const char *>data)[at + 1:at + 1 + data[at]] if at < self.size else None


cdef const char *check_app(const RtcpView *view) noexcept nogil:
    if view.size < APP_SIZE:
        return "an APP packet is shorter than 12 bytes"
    return NULL


@cython.final
cdef class App(RtcpPacket):
    """Something of the application's own.

    Args:
        ssrc: of the sender.
        name: four bytes of ASCII; text is taken too.
        data: a multiple of 4 bytes.
        subtype: 0..31, meaning is the application's.

    Raises:
        ValueError: a field is out of range.

    Source: RFC 3550 section 6.7.
    """

    __match_args__ = ("ssrc", "name", "data", "subtype")

    def __init__(self, ssrc, name, data=b"", subtype=0):
        cdef bytes label = octets(name)
        cdef bytes content = octets(data)
        cdef uint32_t source = checked_u32(ssrc, "ssrc")
        cdef int count = <int>checked(subtype, 31, "subtype")
        cdef uint8_t *out
        if PyBytes_GET_SIZE(label) != 4:
            raise ValueError("name must be 4 bytes")
        if PyBytes_GET_SIZE(content) & 3:
            raise ValueError("data must be a multiple of 4 bytes")
        out = new_wire(self, RTCP_APP, count, APP_SIZE + PyBytes_GET_SIZE(content))
        write_u32(out + 4, source)
        memcpy(out + 8, PyBytes_AS_STRING(label), 4)
        memcpy(out + APP_SIZE, PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content))

    @property
    def ssrc(self):
        """Of the sender."""
        return read_u32(wire_of(self) + 4)

    @property
    def name(self):
        """Four bytes, ASCII where the sender keeps to the RFC."""
        return (<const char *>wire_of(self))[8:APP_SIZE]

    @property
    def data(self):
        """The application's own."""
        return (<const char *>wire_of(self))[APP_SIZE:self.size]

    @property
    def subtype(self):
        """0..31."""
        return wire_of(self)[0] & 0x1F
