"""Take an RTCP datagram apart: which class is each packet, and is it consistent (RFC 3550 appendix A.2, RFC 5506)."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from mediarouter._drop cimport DROP_RTCP_SHORT, DROP_RTCP_VERSION
from mediarouter._rtcp cimport (
    RTCP_APP, RTCP_BYE, RTCP_PSFB, RTCP_RR, RTCP_RTPFB, RTCP_SDES, RTCP_SR, RTCP_XR, RtcpReader, RtcpView,
    rtcp_next, rtcp_reader_init,
)
from mediarouter._rtcp_bitrates cimport Remb, Tmmbn, Tmmbr, check_remb, check_tmmbn, check_tmmbr, is_remb
from mediarouter._rtcp_ccfb cimport Ccfb, check_ccfb
from mediarouter._rtcp_feedback cimport (
    Fir, Nack, Pli, Rpsi, Sli, check_fir, check_nack, check_pli, check_rpsi, check_sli,
)
from mediarouter._rtcp_packet cimport UnknownPacket, packet_of, rtcp_check_t
from mediarouter._rtcp_reports cimport ReceiverReport, SenderReport, check_receiver_report, check_sender_report
from mediarouter._rtcp_sources cimport App, Bye, Sdes, check_app, check_bye, check_sdes
from mediarouter._rtcp_xr cimport Xr, check_xr
from mediarouter._rtp cimport read_u16
from mediarouter._transport_feedback cimport twcc_of

cdef enum:
    DATAGRAM_SIZE_MAX = 65535
    FORMAT_TWCC = 15
    FORMAT_APPLICATION = 15        # of payload-specific feedback; REMB is one
    TRANSPORT_SLOTS = 8            # the table: 8 types from 200 on, 32 formats of RTPFB and of PSFB, the rest
    PAYLOAD_SLOTS = 40
    UNKNOWN_SLOT = 72
    SLOTS = 73


class RtcpError(ValueError):
    """A datagram that is no RTCP, or contradicts itself.

    Attributes:
        packets: those before the bad one.
        offset: where the bad one begins, in bytes from the first of the datagram.
    """

    def __init__(self, reason, packets=(), offset=0):
        super().__init__(reason, packets, offset)
        self.packets = list(packets)
        self.offset = offset

    def __str__(self):
        return f"{self.args[0]} (at byte {self.offset})"


cdef rtcp_check_t[SLOTS] checks
cdef list kinds = [UnknownPacket] * SLOTS


cdef int slot_of(int packet_type, int count) noexcept nogil:
    # feedback is told apart by its format, which stands where others have a count
    if packet_type == RTCP_RTPFB:
        return TRANSPORT_SLOTS + count
    if packet_type == RTCP_PSFB:
        return PAYLOAD_SLOTS + count
    return packet_type - RTCP_SR if RTCP_SR <= packet_type < RTCP_SR + TRANSPORT_SLOTS else UNKNOWN_SLOT


cdef int know(type kind, rtcp_check_t check, int packet_type, int form) except -1:
    cdef int slot = slot_of(packet_type, form)
    kinds[slot] = kind
    checks[slot] = check
    return 0


know(SenderReport, check_sender_report, RTCP_SR, 0)
know(ReceiverReport, check_receiver_report, RTCP_RR, 0)
know(Sdes, check_sdes, RTCP_SDES, 0)
know(Bye, check_bye, RTCP_BYE, 0)
know(App, check_app, RTCP_APP, 0)
know(Xr, check_xr, RTCP_XR, 0)
know(Nack, check_nack, RTCP_RTPFB, 1)
know(Tmmbr, check_tmmbr, RTCP_RTPFB, 3)
know(Tmmbn, check_tmmbn, RTCP_RTPFB, 4)
know(Ccfb, check_ccfb, RTCP_RTPFB, 11)
know(Pli, check_pli, RTCP_PSFB, 1)
know(Sli, check_sli, RTCP_PSFB, 2)
know(Rpsi, check_rpsi, RTCP_PSFB, 3)
know(Fir, check_fir, RTCP_PSFB, 4)
know(Remb, check_remb, RTCP_PSFB, FORMAT_APPLICATION)


cdef type class_of(const RtcpView *view, const char **reason):
    cdef int slot = slot_of(view.packet_type, view.count)
    reason[0] = NULL
    if checks[slot] == NULL or (slot == PAYLOAD_SLOTS + FORMAT_APPLICATION and not is_remb(view)):
        return UnknownPacket
    reason[0] = checks[slot](view)
    return <type>kinds[slot]


cdef object packet_at(const RtcpView *view, int size, bint strict, const char **reason):
    # `size` bytes with padding; None when the packet contradicts itself
    cdef int padding = size - view.size
    cdef type kind
    if view.packet_type == RTCP_RTPFB and view.count == FORMAT_TWCC:
        found = twcc_of(view.data, size, padding)
        if found is not None:
            return found
        reason[0] = "transport-wide feedback does not hold the statuses that it says"
    else:
        kind = class_of(view, reason)
        if reason[0] == NULL:
            return packet_of(kind, view.data, size, padding)
    return None if strict else packet_of(UnknownPacket, view.data, size, padding)


cdef str reason_of(int drop, const RtcpReader *reader):
    cdef const uint8_t *data = reader.data + reader.position
    if drop == DROP_RTCP_SHORT:
        return "fewer than 4 bytes are left for an RTCP header"
    if drop == DROP_RTCP_VERSION:
        return "RTCP version is not 2"
    if (read_u16(data + 2) + 1) * 4 > reader.size - reader.position:
        return "an RTCP packet is longer than the datagram"
    return "the padding of an RTCP packet is longer than the packet, or 0"


cdef list parse_memory(const uint8_t *data, Py_ssize_t size, bint strict):
    cdef RtcpReader reader
    cdef RtcpView view
    cdef list packets = []
    cdef const char *reason = NULL
    cdef int start, result
    if size > DATAGRAM_SIZE_MAX:
        raise RtcpError(f"{size} bytes are more than a datagram holds")
    rtcp_reader_init(&reader, data, <int>size)
    while True:
        start = reader.position
        result = rtcp_next(&reader, &view)
        if result == 0:
            return packets
        if result < 0:
            raise RtcpError(reason_of(result, &reader), packets, start)
        found = packet_at(&view, reader.position - start, strict, &reason)
        if found is None:
            raise RtcpError(reason.decode("ascii"), packets, start)
        packets.append(found)


def parse(data, *, bint strict=True):
    """The packets of an RTCP datagram in their order; none for no bytes.

    Compound (RFC 3550 section 6.1) and reduced-size (RFC 5506) datagrams are taken alike. Padding is taken on any
    packet, not on the last one only (RFC 3550 section 6.4.1), and needs not be a multiple of 4: browsers pad
    transport-wide feedback by 1 to 3 bytes, several packets of it in one datagram.

    Args:
        data: bytes, or anything else that is contiguous in memory; it is copied.
        strict: False lets packets through that contradict themselves, as `UnknownPacket`, where their lengths still
            say where the next one begins.

    Raises:
        RtcpError: a ValueError that tells why, where, and which packets came before.
    """
    cdef Py_buffer buffer
    if type(data) is bytes:
        return parse_memory(<const uint8_t *>PyBytes_AS_STRING(<bytes>data), PyBytes_GET_SIZE(<bytes>data), strict)
    PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
    try:
        return parse_memory(<const uint8_t *>buffer.buf, buffer.len, strict)
    finally:
        PyBuffer_Release(&buffer)
