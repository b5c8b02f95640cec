# The way in: one datagram, told apart by its first byte (RFC 7983), to what it is for.
from libc.stdint cimport int64_t, uint8_t
from mediarouter._address cimport Address
from mediarouter._plane cimport Encoding, Plane
from mediarouter._rtp cimport RtpView

# `data` is changed in place (decryption). Nothing is returned: what is refused is counted.
cdef void ingress_handle(Plane *plane, uint8_t *data, int size, const Address *source, int64_t now_us) noexcept nogil
# A packet of an encoding, decrypted; `recovered`: by a retransmission. 0, or the Drop code of why it is not taken
cdef int ingress_take_media(Plane *plane, Encoding *encoding, const RtpView *view, bint recovered, int64_t arrival_us,
                            int64_t now_us) noexcept nogil
