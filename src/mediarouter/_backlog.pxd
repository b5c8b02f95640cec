# What waits for one receiver whose way out is full: a bounded queue of packets, in order. When it is full, what hurts
# least goes: the oldest packets of enhancement layers, then the oldest of video. Audio, RTCP and the rest are not
# dropped for others; they may take as much room again, and only beyond that is a new one refused.
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from mediarouter._plane cimport SendClass

cdef enum:
    BACKLOG_MAX = 262144           # bytes of one receiver: a second of 2 Mbit/s

cdef struct Waiting:
    uint16_t size                  # bytes in the queue, a length before the packet included
    uint8_t send_class

cdef struct Backlog:
    uint8_t *bytes                 # the packets, one behind the other
    uint32_t begin                 # where the first one stands
    uint32_t end
    uint32_t capacity
    Waiting *items
    uint32_t first                 # index of the first one
    uint32_t past                  # one past the last
    uint32_t item_capacity
    uint32_t taken                 # bytes of the first one that are gone already

cdef void backlog_release(Backlog *backlog) noexcept nogil
# Append a packet, behind its length in two bytes (RFC 4571) where `framed`. How many packets were lost for it, itself
# included; at least 1 when memory is short.
cdef int backlog_push(Backlog *backlog, const uint8_t *data, int size, SendClass send_class,
                      bint framed) noexcept nogil
# So many bytes are on their way: what is whole is forgotten, of the packet behind that a part may be
cdef void backlog_take(Backlog *backlog, uint32_t size) noexcept nogil

# Bytes that wait
cdef inline uint32_t backlog_size(const Backlog *backlog) noexcept nogil:
    return backlog.end - backlog.begin - backlog.taken

# The first of them; all are in one piece
cdef inline const uint8_t *backlog_head(const Backlog *backlog) noexcept nogil:
    return backlog.bytes + backlog.begin + backlog.taken

# Packets that wait, a begun one included
cdef inline uint32_t backlog_count(const Backlog *backlog) noexcept nogil:
    return backlog.past - backlog.first
