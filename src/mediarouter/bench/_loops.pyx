"""Calls whose instructions are counted, and C loops over what has none of its own. For `bench/instructions.py`.

`counted` is the only thing that callgrind looks into: it is told the name of the C function in it.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy
from mediarouter._rtcp cimport (
    RTCP_PSFB,
    RTCP_RR,
    RTCP_RTPFB,
    RTCP_SR,
    ReportBlock,
    RtcpReader,
    RtcpView,
    SenderInfo,
    rtcp_next,
    rtcp_read_nack,
    rtcp_read_remb,
    rtcp_read_report,
    rtcp_read_sender_info,
    rtcp_reader_init,
    rtcp_report_count,
)
from mediarouter._rtp cimport write_u16
from mediarouter._srtp cimport SRTP_MAX_TRAILER, SrtpSession, srtp_context_protect, srtp_context_unprotect
from mediarouter._transport_feedback cimport TwccFeedback, TwccStatus, twcc_parse

cdef extern from *:
    """
    static __attribute__((noinline, used)) PyObject *mediarouter_counted(PyObject *function, PyObject *arguments) {
        PyObject *result = PyObject_Call(function, arguments, NULL);
        __asm__ volatile("");      /* a call, and no jump */
        return result;
    }
    """
    object mediarouter_counted(object function, object arguments)

cdef enum:
    PACKET_MAX = 1500
    NACK = 1
    TRANSPORT_FEEDBACK = 15

COUNTED = "mediarouter_counted"    # the function's name in the symbol table


def counted(function, *arguments):
    """function(*arguments); what happens in it is what callgrind counts."""
    return mediarouter_counted(function, arguments)


def call_times(function, argument, int times):
    """Call a Python function so many times from C, its results thrown away."""
    cdef int _
    for _ in range(times):
        function(argument)


cdef int size_of(bytes packet) except -1:
    if not 12 <= len(packet) <= PACKET_MAX:
        raise ValueError(f"a packet of 12 to {PACKET_MAX} bytes")
    return <int>len(packet)


def protect_times(SrtpSession session not None, bytes packet not None, int first, int times):
    """Copy an RTP packet and protect it in place, so many times with numbers that count up from `first`; how many
    were protected."""
    cdef uint8_t room[PACKET_MAX + SRTP_MAX_TRAILER]
    cdef const uint8_t *data = <const uint8_t *><const char *>packet
    cdef int size = size_of(packet)
    cdef int i
    cdef int made = 0
    with nogil:
        for i in range(times):
            memcpy(room, data, size)
            write_u16(room + 2, <uint16_t>(first + i))
            made += srtp_context_protect(session.outbound, room, size) > 0
    return made


def unprotect_each(SrtpSession session not None, list packets not None):
    """Copy each SRTP packet and unprotect it in place; how many could be."""
    cdef uint8_t room[PACKET_MAX + SRTP_MAX_TRAILER]
    cdef bytes packet
    cdef int size
    cdef int made = 0
    for packet in packets:
        size = size_of(packet)
        memcpy(room, <const char *>packet, size)
        made += srtp_context_unprotect(session.inbound, room, size) > 0
    return made


def read_compound_times(bytes compound not None, int times):
    """Read an RTCP compound as the engine does, so many times: sender's figures, report blocks, numbers asked for,
    statuses of transport-wide feedback, bitrate. How many of these there were."""
    cdef const uint8_t *data = <const uint8_t *><const char *>compound
    cdef int size = <int>len(compound)
    cdef int64_t found = 0
    cdef int _
    with nogil:
        for _ in range(times):
            found += read_compound(data, size)
    return found


cdef int read_compound(const uint8_t *data, int size) noexcept nogil:
    cdef RtcpReader reader
    cdef RtcpView view
    cdef int found = 0
    rtcp_reader_init(&reader, data, size)
    while rtcp_next(&reader, &view) == 1:
        found += read_packet(&view)
    return found


cdef int read_packet(const RtcpView *view) noexcept nogil:
    cdef SenderInfo info
    cdef ReportBlock block
    cdef TwccFeedback feedback
    cdef TwccStatus statuses[512]
    cdef uint16_t seqs[512]
    cdef uint64_t bitrate_bps
    cdef int i
    cdef int found = 0
    if view.packet_type == RTCP_SR and rtcp_read_sender_info(view, &info) == 0:
        found += 1
    if view.packet_type in (RTCP_SR, RTCP_RR):
        for i in range(rtcp_report_count(view)):
            found += rtcp_read_report(view, i, &block) == 0
    elif view.packet_type == RTCP_RTPFB and view.count == NACK:
        found += rtcp_read_nack(view, seqs, 512)
    elif view.packet_type == RTCP_RTPFB and view.count == TRANSPORT_FEEDBACK:
        found += twcc_parse(view.data, view.size, &feedback, statuses, 512)
    elif view.packet_type == RTCP_PSFB:
        found += rtcp_read_remb(view, &bitrate_bps) == 1
    return found
