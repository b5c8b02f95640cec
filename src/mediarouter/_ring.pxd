# A ring of records between two threads, without a lock: one thread writes, one reads.
#
# Theory of operation
# Both sides count bytes that never wrap (2^64 of them); `size - 1` masks a count into the memory. A record lies in one
# piece: one that does not fit into what is left before the end begins again at the front, and a mark tells the reader.
# The writer fills what it reserves, commits record by record, and publishes them together by one release store; the
# reader's acquire load of that count sees all they hold. Freed room goes the other way by the same means. The counts of
# the two sides are on cache lines of their own, and each side keeps the count of the other as it saw it last: a line
# moves between processors when something is new, or when the ring looks full, and not for each record.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    RING_HEADER = 8                # bytes before each record
    RING_GRAIN = 64                # records begin at multiples of it

cdef struct Ring:
    uint8_t *data                  # read by both sides, changed by none
    uint64_t size                  # a power of two
    uint64_t apart_from_writer[14]
    uint64_t published             # the writer's, atomic: records before it can be read
    uint64_t written
    uint64_t seen_freed
    uint64_t apart_from_reader[13]
    uint64_t freed                 # the reader's, atomic: room before it can be written
    uint64_t taken
    uint64_t seen_published
    uint64_t apart_from_next[13]

# `size`: a power of two, from a page on. False: it is not, or no memory
cdef bint ring_init(Ring *ring, uint64_t size) noexcept nogil
cdef void ring_release(Ring *ring) noexcept nogil                  # neither side uses it any more

# The writer: room for a record of `size` bytes, which leaves `spare` bytes free behind it. NULL: it does not fit now.
# The record is the reader's after commit and publish; what is reserved and not committed is reserved again.
cdef uint8_t *ring_reserve(Ring *ring, uint32_t size, uint32_t spare) noexcept nogil
cdef void ring_commit(Ring *ring, uint32_t size) noexcept nogil
cdef void ring_publish(Ring *ring) noexcept nogil

# The reader: the oldest record and its size, NULL when there is none; it stays where it is until it is dropped
cdef uint8_t *ring_peek(Ring *ring, uint32_t *size) noexcept nogil
cdef void ring_drop(Ring *ring) noexcept nogil
