"""Extended reports as a Python value (RFC 3611)."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy
from mediarouter._rtcp cimport RTCP_XR, RtcpView
from mediarouter._rtcp_packet cimport RtcpPacket, checked_u32, new_wire, read_u64, wire_of
from mediarouter._rtp cimport read_u16, read_u32, write_u32

from mediarouter.rtcp_rows import DlrrReport
from mediarouter.rtcp_xr_blocks import Dlrr, Rrtr, XrBlock

cdef enum:
    BLOCKS_OFFSET = 8
    TYPE_RRTR = 4
    TYPE_DLRR = 5


cdef const char *check_xr(const RtcpView *view) noexcept nogil:
    cdef int at = BLOCKS_OFFSET
    if view.size < BLOCKS_OFFSET:
        return "an XR is shorter than 8 bytes"
    while at < view.size:
        if at + 4 > view.size or at + 4 + 4 * read_u16(view.data + at + 2) > view.size:
            return "a block of an XR runs past the packet"
        at += 4 + 4 * read_u16(view.data + at + 2)
    return NULL


cdef object read_block(const uint8_t *block, int size):
    # a block of a length or with flags that its type does not have stays as it is
    cdef int at
    if block[0] == TYPE_RRTR and block[1] == 0 and size == 12:
        return Rrtr(read_u64(block + 4))
    if block[0] == TYPE_DLRR and block[1] == 0 and (size - 4) % 12 == 0:
        return Dlrr(tuple([DlrrReport(read_u32(block + at), read_u32(block + at + 4), read_u32(block + at + 8))
                           for at in range(4, size, 12)]))
    return XrBlock(block[0], block[1], (<const char *>block)[4:size])


cdef tuple read_blocks(Xr packet):
    cdef const uint8_t *data = wire_of(packet)
    cdef list blocks = []
    cdef int at = BLOCKS_OFFSET
    cdef int size
    while at < packet.size:
        size = 4 + 4 * read_u16(data + at + 2)
        blocks.append(read_block(data + at, size))
        at += size
    return tuple(blocks)


@cython.final
cdef class Xr(RtcpPacket):
    """Extended report.

    Args:
        ssrc: of whoever reports.
        blocks: `Rrtr`, `Dlrr`, and `XrBlock` for all others.

    Raises:
        ValueError: a field is out of range.

    Source: RFC 3611 section 2.
    """

    __match_args__ = ("ssrc", "blocks")

    def __init__(self, ssrc, blocks=()):
        cdef bytes content = b"".join([bytes(block) for block in checked_blocks(blocks)])
        cdef uint32_t source = checked_u32(ssrc, "ssrc")
        cdef uint8_t *out = new_wire(self, RTCP_XR, 0, BLOCKS_OFFSET + PyBytes_GET_SIZE(content))
        write_u32(out + 4, source)
        memcpy(out + BLOCKS_OFFSET, PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content))

    @property
    def ssrc(self):
        """Of whoever reports."""
        return read_u32(wire_of(self) + 4)

    @property
    def blocks(self):
        """`Rrtr`, `Dlrr` and `XrBlock` values."""
        if self.cached is None:
            self.cached = read_blocks(self)
        return self.cached


cdef list checked_blocks(object blocks):
    cdef list found = list(blocks)
    for block in found:
        if not isinstance(block, (Rrtr, Dlrr, XrBlock)):
            raise TypeError("blocks must be Rrtr, Dlrr or XrBlock values")
    return found
