# Which layers of a producer anybody may use, so that its publisher need not send the others.
#
#     consumers ──► wishes, bounded by what each network could carry soon ─┐
#     pipes ──────► what is wanted of the copy over there ─────────────────┴─► now ──► told: up at once, down when quiet
#
# From a copy, `now` goes to the original as it is; only who has the publisher waits.
from libc.stdint cimport int64_t
from mediarouter._plane cimport Encoding, Plane, Producer

# What is due of a producer's timer: look, tell
cdef void wanted_timer(Plane *plane, Producer *producer, int64_t now_us) noexcept nogil
# The encoding flows again. Where that is what was asked for, its viewers' wish counts as a new one.
cdef void wanted_came_back(Encoding *encoding, int64_t now_us) noexcept nogil
