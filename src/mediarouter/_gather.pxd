# The packets of a frame wait for each other, so that each receiver gets them by one system call.
#
# Theory of operation
# A frame comes as a burst of packets some tens of microseconds apart. Passed on one by one, each costs a call per
# receiver, and the call costs more than all the rest. So a packet of a video stream is put into the slab and counted at
# once, but forwarded only when the last packet of its frame is there (the marker), when GATHERED_MAX wait, or when the
# first has waited for `plane.gather_now_us`. Audio never waits. What waits is forwarded in the order of its numbers.
#
# In the engine's thread a whole frame is not forwarded at once either, but is due: the thread first takes in all that
# has come, so that audio overtakes the fan-out of frames that came before it, then forwards frames in the order they
# became whole, with a look at the sockets every 64 copies. Without a thread (no `in_turns`) a whole frame goes at once.
from libc.stdint cimport int64_t
from mediarouter._plane cimport Encoding, Plane

# A packet that is in the slab; `wait` may be false: then it goes on with all that waits, as soon as it is its turn
cdef void gather_packet(Plane *plane, Encoding *encoding, int64_t seq, bint wait, int64_t now_us) noexcept nogil
# It has waited long enough
cdef void gather_expire(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil
# Forward what is due, until it is time to look at the sockets again
cdef void gather_take_turns(Plane *plane, int64_t now_us) noexcept nogil
# Forward what waits
cdef void gather_flush(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil
