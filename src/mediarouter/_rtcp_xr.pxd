# Extended reports as a Python value.
from mediarouter._rtcp cimport RtcpView
from mediarouter._rtcp_packet cimport RtcpPacket

cdef class Xr(RtcpPacket):
    pass

cdef const char *check_xr(const RtcpView *view) noexcept nogil
