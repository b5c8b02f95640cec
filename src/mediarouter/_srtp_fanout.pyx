"""One packet to many: the Python face of srtp_fanout_protect."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from mediarouter._rtp cimport read_u16, write_u16
from mediarouter._srtp cimport SrtpSession, srtp_fanout_protect
from mediarouter._srtp_headers cimport header_size
from mediarouter._srtp_policy cimport RTP_HEADER_SIZE, SRTP_MAX_TRAILER, SrtpFanoutItem


cdef int header_of(bytes header) except -1:
    cdef const uint8_t *data = <const uint8_t *><const char *>header
    if len(header) < RTP_HEADER_SIZE or len(header) > 65535 or header_size(data, <int>len(header)) != len(header):
        raise ValueError("a header that is no RTP header to its last byte")
    return <int>len(header)


def protect_fanout(packet, sessions, out=None, *, headers=None):
    """One RTP packet protected for each session, side by side in one buffer, without the GIL.

    Args:
        packet: the RTP packet in clear, up to 65535 bytes.
        sessions: one `SrtpSession` a destination; no session twice.
        out: where to write: for each session the packet and 144 bytes more; by default a new bytearray.
        headers: instead of the packet's own header one for each session, CSRCs and extension block included.

    Returns:
        (buffer, offsets): destination i has buffer[offsets[2 * i]:offsets[2 * i + 1]], nothing where it was refused.

    Raises:
        ValueError: the packet or a header is no RTP, the buffer is too small, a session is there twice.
    """
    cdef bytes data = bytes(packet)
    cdef list targets = list(sessions)
    cdef list tops = [] if headers is None else [bytes(header) for header in headers]
    cdef int i, count = <int>len(targets), own = 0, size = <int>len(data)
    cdef size_t at = 0
    cdef uint8_t[::1] view
    cdef SrtpFanoutItem *items
    cdef bytes top
    cdef const uint8_t *bytes_in = <const uint8_t *><const char *>data
    if size < RTP_HEADER_SIZE or len(data) > 65535:
        raise ValueError("no RTP packet")
    own = header_size(bytes_in, size)
    if own < 0:
        raise ValueError("no RTP packet")
    if headers is None:
        tops = [data[:own]] * count
    if len(tops) != count or len({id(session) for session in targets}) != count:
        raise ValueError("not one header a session, or a session twice")
    needed = sum([header_of(top) + size - own + SRTP_MAX_TRAILER for top in tops])
    if out is None:
        out = bytearray(needed)
    if count == 0:
        return out, []
    view = out
    if view.shape[0] < <Py_ssize_t>needed:
        raise ValueError(f"room for {view.shape[0]} bytes where {needed} may be needed")
    items = <SrtpFanoutItem *>calloc(count, sizeof(SrtpFanoutItem))
    if items == NULL:
        raise MemoryError
    try:
        for i in range(count):
            top = tops[i]
            items[i].context = (<SrtpSession?>targets[i]).outbound
            items[i].out = &view[at]
            items[i].header_size = <int>len(top)
            memcpy(items[i].out, <const char *>top, len(top))
            at += len(top) + size - own + SRTP_MAX_TRAILER
        with nogil:
            srtp_fanout_protect(items, count, bytes_in + own, size - own)
        offsets = []
        for i in range(count):
            offsets.append(items[i].out - &view[0])
            offsets.append(items[i].out - &view[0] + max(items[i].size, 0))
    finally:
        free(items)
    return out, offsets


def measure(bytes packet, sessions, int rounds):
    """Protect a packet of twelve bytes of header for each session, `rounds` times over with numbers that count up,
    without the GIL; how many were protected."""
    cdef list targets = list(sessions)
    cdef int i, n, count = <int>len(targets), size = <int>len(packet) - 12, made = 0
    cdef const uint8_t *data = <const uint8_t *><const char *>packet
    cdef size_t room = (size + 12 + SRTP_MAX_TRAILER + 63) & ~63
    cdef SrtpFanoutItem *items = <SrtpFanoutItem *>calloc(count, sizeof(SrtpFanoutItem))
    cdef uint8_t *out = <uint8_t *>calloc(count, room)
    if items == NULL or out == NULL or size < 0:
        free(items)
        free(out)
        raise MemoryError
    for i in range(count):
        items[i].context = (<SrtpSession?>targets[i]).outbound
        items[i].out, items[i].header_size = out + i * room, 12
    with nogil:
        for n in range(rounds):
            for i in range(count):
                memcpy(items[i].out, data, 12)
                write_u16(items[i].out + 2, <unsigned short>(read_u16(data + 2) + n))
            srtp_fanout_protect(items, count, data + 12, size)
            for i in range(count):
                made += items[i].size > 0
    free(items)
    free(out)
    return made
