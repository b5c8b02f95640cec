# Congestion control feedback as a Python value.
from mediarouter._rtcp cimport RtcpView
from mediarouter._rtcp_packet cimport RtcpPacket

cdef class Ccfb(RtcpPacket):
    pass

cdef const char *check_ccfb(const RtcpView *view) noexcept nogil
