# What had to wait for its turn (`_pace_queue`) leaves: made anew from the slab, as it would have been at once, and
# numbered for the transport's feedback now.
from libc.stdint cimport int64_t
from mediarouter._plane cimport Plane, Transport

# The estimate changed
cdef void pace_set_target(Transport *transport) noexcept nogil
# What may leave by now, leaves
cdef void pace_timer(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil
# So many bytes leave now whether they are due or not, as a probe wants it; how many did. `egress_send` is done.
cdef int pace_send(Plane *plane, Transport *transport, int bytes, int64_t now_us) noexcept nogil
