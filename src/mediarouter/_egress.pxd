# The way out of the data plane: packets are made in the outbox' arena, chained by destination, and one system call can
# take all that one receiver gets from a batch.
#
# The kernel cuts a message into packets of one size, of which the last may be shorter; browsers cut a frame into
# packets that differ by a byte. So the RTP packets of one receiver are drafted first: a header each, and where the
# payload lies. `egress_send` then pads those that are a little shorter than their neighbours (RFC 3550 section 5.1) and
# encrypts them one behind the other, payloads straight from where they lie, so that a run is one piece of memory.
from libc.stdint cimport uint8_t, uint32_t
from mediarouter._address cimport Address
from mediarouter._plane cimport Draft, Outbox, Plane, SendClass, Transport

cdef enum:
    PAD_MAX = 12                   # bytes

cdef bint outbox_init(Outbox *outbox, size_t arena_size) noexcept nogil
cdef void outbox_release(Outbox *outbox) noexcept nogil
# Transports no longer point into this outbox; from here on it can be sent without the tables
cdef void outbox_detach(Outbox *outbox) noexcept nogil
cdef void outbox_clear(Outbox *outbox) noexcept nogil
# What was written at the end of the arena is a packet; `follows`: to the same receiver as the one before
cdef void outbox_add(Outbox *outbox, const Address *remote, int size, SendClass send_class, bint follows) noexcept nogil

# Between two receivers: send what there is when it is enough. What was just written is then still in the processor's
# cache when the kernel copies it, and that is worth more than a longer list of messages.
cdef void egress_relieve(Plane *plane) noexcept nogil
# A draft of an RTP packet for this transport; all its fields are to be set. What it points to must live until
# `egress_send`, which must come before any draft for another transport.
cdef Draft *egress_draft(Plane *plane, Transport *transport) noexcept nogil
# Pad, encrypt and queue what was drafted
cdef void egress_send(Plane *plane, Transport *transport) noexcept nogil

# Room for a packet of `size` bytes and what SRTP adds; NULL: counted as send_blocked. Valid until the next call.
cdef uint8_t *egress_reserve(Plane *plane, int size) noexcept nogil
# Encrypt the RTCP that was written at the reserved place and queue it. True when it will be sent.
cdef bint egress_rtcp(Plane *plane, Transport *transport, uint8_t *packet, int size) noexcept nogil
# Without encryption, to where the transport sends (DTLS) ...
cdef bint egress_plain(Plane *plane, Transport *transport, const uint8_t *data, int size) noexcept nogil
# ... or to any address (STUN)
cdef bint egress_to(Plane *plane, const Address *remote, const uint8_t *data, int size) noexcept nogil
# True when the transport has keys, an address and consent
cdef bint egress_ready(const Transport *transport) noexcept nogil
