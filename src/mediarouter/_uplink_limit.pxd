# How much a client may send: the service's limit, and what the layers that are wanted cost, told by REMB or TMMBR
# (draft-alvestrand-rmcat-remb-03; RFC 5104 4.2.1), whichever the producers' codecs have negotiated.
from libc.stdint cimport int64_t
from mediarouter._plane cimport Plane, Transport

# Once a second: a limit is told again, since any message may be lost
cdef void uplink_limit_repeat(Plane *plane, Transport *transport) noexcept nogil
# What it depends on has changed: told at once, if it is another
cdef void uplink_limit_renew(Plane *plane, Transport *transport) noexcept nogil
