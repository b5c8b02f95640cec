# RTCP that comes in: reports and good-byes of publishers, requests and reports of viewers.
from libc.stdint cimport int64_t, uint8_t
from mediarouter._plane cimport Plane, Transport

cdef void feedback_handle_rtcp(Plane *plane, Transport *transport, const uint8_t *data, int size,
                               int64_t now_us) noexcept nogil
