# Key frame requests towards publishers: however many viewers ask, one encoding hears at most one request per interval,
# and hears it again until the key frame is there.
from libc.stdint cimport int64_t
from mediarouter._plane cimport Encoding, Plane

cdef void key_frame_ask(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil
# The first packet of one came, with this number
cdef void key_frame_arrived(Plane *plane, Encoding *encoding, int64_t seq) noexcept nogil
cdef void key_frame_timer(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil
