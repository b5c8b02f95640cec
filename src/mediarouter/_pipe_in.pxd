# What comes out of a data plane's pipes: packets of copies, which are taken in as from a publisher, and what the copies
# of our own producers ask for.
from libc.stdint cimport int64_t
from mediarouter._plane cimport Plane

# Take what there is, of each pipe no more than a batch. True: more waits.
cdef bint pipe_in_drain(Plane *plane, int64_t now_us) noexcept nogil
# Whether there is something to take
cdef bint pipe_in_waits(const Plane *plane) noexcept nogil
