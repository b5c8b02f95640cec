# Limits on bitrates as Python values.
from mediarouter._rtcp cimport RtcpView
from mediarouter._rtcp_packet cimport FeedbackPacket

cdef class Tmmbr(FeedbackPacket):
    pass

cdef class Tmmbn(FeedbackPacket):
    pass

cdef class Remb(FeedbackPacket):
    pass

cdef const char *check_tmmbr(const RtcpView *view) noexcept nogil
cdef const char *check_tmmbn(const RtcpView *view) noexcept nogil
cdef bint is_remb(const RtcpView *view) noexcept nogil           # among the formats 15 of payload-specific feedback
cdef const char *check_remb(const RtcpView *view) noexcept nogil
