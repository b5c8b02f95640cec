"""The event ring; `_events.pxd` names the events."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

DTLS = <int>EVENT_DTLS
ICE_SELECTED = <int>EVENT_ICE_SELECTED
CONSENT_LOST = <int>EVENT_CONSENT_LOST
LAYERS = <int>EVENT_LAYERS
KEY_FRAME_ASKED = <int>EVENT_KEY_FRAME_ASKED
ENCODING_SEEN = <int>EVENT_ENCODING_SEEN
BYE = <int>EVENT_BYE
ICE_RESTARTED = <int>EVENT_ICE_RESTARTED
WANTED = <int>EVENT_WANTED


cdef bint event_ring_init(EventRing *ring, uint32_t capacity) noexcept nogil:
    ring.data = <uint8_t *>malloc(capacity)
    ring.capacity = capacity if ring.data != NULL else 0
    ring.used = 0
    ring.overrun = False
    return ring.data != NULL


cdef void event_ring_release(EventRing *ring) noexcept nogil:
    free(ring.data)
    ring.data = NULL
    ring.capacity = 0


cdef bint event_put(EventRing *ring, EventKind kind, uint32_t handle, int64_t a, int64_t b,
                    const uint8_t *payload, int size) noexcept nogil:
    cdef EventHeader header
    cdef uint32_t room = <uint32_t>(sizeof(EventHeader) + ((size + 7) & ~7))
    if ring.used + room > ring.capacity:
        ring.overrun = True
        return False
    header.kind = <uint16_t>kind
    header.size = <uint16_t>size
    header.handle = handle
    header.a = a
    header.b = b
    memcpy(ring.data + ring.used, &header, sizeof(header))
    if size:
        memcpy(ring.data + ring.used + sizeof(header), payload, size)
    ring.used += room
    return True


def read_events(const uint8_t[::1] records):
    """The events of a ring's content, as (kind, handle, a, b, payload).

    Args:
        records: bytes as the ring held them.
    """
    cdef list events = []
    cdef Py_ssize_t at = 0
    cdef EventHeader header
    while at + <Py_ssize_t>sizeof(header) <= records.shape[0]:
        memcpy(&header, &records[at], sizeof(header))
        at += sizeof(header)
        events.append((header.kind, header.handle, header.a, header.b, bytes(records[at:at + header.size])))
        at += (header.size + 7) & ~7
    return events
