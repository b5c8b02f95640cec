# What a link can carry, from what it carried each time it was too much.
from libc.stdint cimport int64_t

cdef struct LinkCapacity:
    double kbps                    # the estimate; -1: none
    double variance                # of what was seen, divided by the estimate

cdef void link_capacity_init(LinkCapacity *c) noexcept nogil
cdef void link_capacity_forget(LinkCapacity *c) noexcept nogil
# The link was overused while this got through
cdef void link_capacity_overused(LinkCapacity *c, int64_t acked_bps) noexcept nogil
cdef int64_t link_capacity_bps(const LinkCapacity *c) noexcept nogil             # -1: no estimate
# Outside of these it is another link, or has another rate; 0 and 2**62 without an estimate
cdef int64_t link_capacity_lower_bps(const LinkCapacity *c) noexcept nogil
cdef int64_t link_capacity_upper_bps(const LinkCapacity *c) noexcept nogil
