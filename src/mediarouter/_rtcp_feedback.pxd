# What is asked for again, as Python values: packets, pictures, key frames.
from mediarouter._rtcp cimport RtcpView
from mediarouter._rtcp_packet cimport FeedbackPacket

cdef class Nack(FeedbackPacket):
    pass

cdef class Pli(FeedbackPacket):
    pass

cdef class Sli(FeedbackPacket):
    pass

cdef class Rpsi(FeedbackPacket):
    pass

cdef class Fir(FeedbackPacket):
    pass

cdef const char *check_nack(const RtcpView *view) noexcept nogil
cdef const char *check_pli(const RtcpView *view) noexcept nogil
cdef const char *check_sli(const RtcpView *view) noexcept nogil
cdef const char *check_rpsi(const RtcpView *view) noexcept nogil
cdef const char *check_fir(const RtcpView *view) noexcept nogil
