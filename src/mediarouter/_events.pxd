# What the data plane tells the control plane: a ring of records that Python reads, a whole ring at a time.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cdef enum EventKind:
    EVENT_DTLS = 1                 # payload: a DTLS datagram of the transport `handle`
    EVENT_ICE_SELECTED = 2         # payload: the Address now sent to
    EVENT_CONSENT_LOST = 3         # no check came in time (RFC 7675); nothing is sent any more
    EVENT_LAYERS = 4               # consumer `handle`: a = spatial, b = temporal layer now sent
    EVENT_KEY_FRAME_ASKED = 5      # producer `handle`: a key frame of encoding a was asked for
    EVENT_ENCODING_SEEN = 6        # producer `handle`: encoding a flows, its SSRC is b
    EVENT_BYE = 7                  # producer `handle`: encoding a said good-bye
    EVENT_ICE_RESTARTED = 8        # transport `handle`: the new credentials are in use
    EVENT_WANTED = 9               # producer `handle`: other layers are wanted than before

cdef struct EventHeader:
    uint16_t kind
    uint16_t size                  # bytes of payload behind this header, then padded to 8
    uint32_t handle
    int64_t a
    int64_t b

cdef struct EventRing:
    uint8_t *data
    uint32_t capacity
    uint32_t used                  # bytes; the ring is emptied as a whole, so it never wraps
    bint overrun                   # an event did not fit since the last read

cdef bint event_ring_init(EventRing *ring, uint32_t capacity) noexcept nogil
cdef void event_ring_release(EventRing *ring) noexcept nogil
# False: full, and the event is lost
cdef bint event_put(EventRing *ring, EventKind kind, uint32_t handle, int64_t a, int64_t b,
                    const uint8_t *payload, int size) noexcept nogil
