# The way to one viewer: what its network carries, shared out among what it watches, and the probes that look for more.
#
#     feedback ──► estimator ──► budget ──► allocator ──► allowed layers of each consumer
#                     ▲                        │
#                     └── probes ◄── demand ◄──┘
from libc.stdint cimport int64_t
from mediarouter._plane cimport Plane, Transport
from mediarouter._rtcp cimport RtcpView

# From here on the transport's viewer gets what its network carries. `by_stream`: it reports by RFC 8888, and not by
# transport-wide numbers. False: no memory
cdef bint downlink_begin(Plane *plane, Transport *transport, int64_t start_bps, int64_t min_bps, int64_t max_bps,
                         bint by_stream, int64_t now_us) noexcept nogil
# A report of the viewer, in the form that was agreed: how many packets it told of, or a Drop code
cdef int downlink_report(Transport *transport, const RtcpView *view, int64_t now_us) noexcept nogil
# An upper limit that the viewer sent (REMB)
cdef void downlink_limit(Transport *transport, int64_t bps, int64_t now_us) noexcept nogil
# After all of a datagram's RTCP
cdef void downlink_update(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil
# What is due
cdef void downlink_timer(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil
