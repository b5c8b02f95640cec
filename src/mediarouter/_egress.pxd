# The way out of the data plane: packets are made in the outbox' arena, encrypted in place, and chained by destination,
# so that one system call can take all that one receiver gets from a batch.
from libc.stdint cimport uint8_t, uint32_t
from mediarouter._address cimport Address
from mediarouter._plane cimport Outbox, Plane, Transport

cdef bint outbox_init(Outbox *outbox, size_t arena_size) noexcept nogil
cdef void outbox_release(Outbox *outbox) noexcept nogil
# Transports no longer point into this outbox; from here on it can be sent without the tables
cdef void outbox_detach(Outbox *outbox) noexcept nogil
cdef void outbox_clear(Outbox *outbox) noexcept nogil

# Room for a packet of `size` bytes and what SRTP adds; NULL: counted as send_blocked. Valid until the next call.
cdef uint8_t *egress_reserve(Plane *plane, int size) noexcept nogil
# Encrypt what was written at the reserved place and queue it. True when it will be sent.
cdef bint egress_rtp(Plane *plane, Transport *transport, uint8_t *packet, int size) noexcept nogil
cdef bint egress_rtcp(Plane *plane, Transport *transport, uint8_t *packet, int size) noexcept nogil
# Without encryption, to where the transport sends (DTLS) ...
cdef bint egress_plain(Plane *plane, Transport *transport, const uint8_t *data, int size) noexcept nogil
# ... or to any address (STUN)
cdef bint egress_to(Plane *plane, const Address *remote, const uint8_t *data, int size) noexcept nogil
# True when the transport has keys, an address and consent
cdef bint egress_ready(const Transport *transport) noexcept nogil
