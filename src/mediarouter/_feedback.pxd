# RTCP that comes in: reports and good-byes of publishers, requests and reports of viewers.
from libc.stdint cimport int64_t, uint8_t
from mediarouter._plane cimport Encoding, Plane, Transport
from mediarouter._rtcp cimport SenderInfo

cdef void feedback_handle_rtcp(Plane *plane, Transport *transport, const uint8_t *data, int size,
                               int64_t now_us) noexcept nogil
# What a sender report told of an encoding, directly or by a pipe
cdef void feedback_sender_report(Plane *plane, Encoding *encoding, const SenderInfo *info, int64_t arrival_us,
                                 int64_t now_us) noexcept nogil
