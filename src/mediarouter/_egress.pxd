# The way out of the data plane: packets are made in the outbox' arena, chained by destination, encrypted in place, and
# one system call can take all that one receiver gets from a batch.
#
# The kernel cuts a message into packets of one size, of which the last may be shorter; browsers cut a frame into
# packets that differ by a byte. So RTP packets are not encrypted one by one but when the batch is done (`egress_seal`),
# and those that are a little shorter than their neighbours get RTP padding first (RFC 3550 section 5.1).
from libc.stdint cimport uint8_t, uint32_t
from mediarouter._address cimport Address
from mediarouter._plane cimport Outbox, Plane, Transport

cdef bint outbox_init(Outbox *outbox, size_t arena_size) noexcept nogil
cdef void outbox_release(Outbox *outbox) noexcept nogil
# Transports no longer point into this outbox; from here on it can be sent without the tables
cdef void outbox_detach(Outbox *outbox) noexcept nogil
cdef void outbox_clear(Outbox *outbox) noexcept nogil

# Between two receivers: send what there is when it is enough. What was just written is then still in the processor's
# cache when the kernel copies it, and that is worth more than a longer list of messages.
cdef void egress_relieve(Plane *plane) noexcept nogil
# Room for a packet of `size` bytes and what SRTP adds; NULL: counted as send_blocked. Valid until the next call.
cdef uint8_t *egress_reserve(Plane *plane, int size) noexcept nogil
# Queue the RTP packet that was written at the reserved place; it is encrypted by the next seal
cdef void egress_rtp(Plane *plane, Transport *transport, int size) noexcept nogil
# Pad and encrypt what was queued. To be called before the plane's mutex is given back: keys may go after that.
cdef void egress_seal(Plane *plane) noexcept nogil
# Encrypt what was written at the reserved place and queue it. True when it will be sent.
cdef bint egress_rtcp(Plane *plane, Transport *transport, uint8_t *packet, int size) noexcept nogil
# Without encryption, to where the transport sends (DTLS) ...
cdef bint egress_plain(Plane *plane, Transport *transport, const uint8_t *data, int size) noexcept nogil
# ... or to any address (STUN)
cdef bint egress_to(Plane *plane, const Address *remote, const uint8_t *data, int size) noexcept nogil
# True when the transport has keys, an address and consent
cdef bint egress_ready(const Transport *transport) noexcept nogil
