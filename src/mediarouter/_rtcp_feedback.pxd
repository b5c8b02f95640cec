# What is asked for again, as Python values: packets, pictures, key frames.
from mediarouter._rtcp cimport RtcpView
from mediarouter._rtcp_packet cimport RtcpPacket

cdef class Nack(RtcpPacket):
    pass

cdef class Pli(RtcpPacket):
    pass

cdef class Sli(RtcpPacket):
    pass

cdef class Rpsi(RtcpPacket):
    pass

cdef class Fir(RtcpPacket):
    pass

cdef const char *check_nack(const RtcpView *view) noexcept nogil
cdef const char *check_pli(const RtcpView *view) noexcept nogil
cdef const char *check_sli(const RtcpView *view) noexcept nogil
cdef const char *check_rpsi(const RtcpView *view) noexcept nogil
cdef const char *check_fir(const RtcpView *view) noexcept nogil
