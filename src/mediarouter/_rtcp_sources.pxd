# Source descriptions, goodbyes and application packets as Python values.
from mediarouter._rtcp cimport RtcpView
from mediarouter._rtcp_packet cimport RtcpPacket

cdef class Sdes(RtcpPacket):
    pass

cdef class Bye(RtcpPacket):
    pass

cdef class App(RtcpPacket):
    pass

cdef const char *check_sdes(const RtcpView *view) noexcept nogil
cdef const char *check_bye(const RtcpView *view) noexcept nogil
cdef const char *check_app(const RtcpView *view) noexcept nogil
