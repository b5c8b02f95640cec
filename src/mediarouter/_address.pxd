# Where a datagram came from and goes to: a socket address and the socket of ours it belongs to. No system call here.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp

cdef struct Address:
    uint8_t sockaddr[28]       # struct sockaddr_in or sockaddr_in6, unused bytes zero
    uint8_t sockaddr_size      # 16, 28, or 0 for "none"
    uint8_t socket_index       # which of the worker's sockets
    uint16_t connection        # 0 for UDP; else the ICE-TCP connection, one more than its slot

cdef inline bint address_equal(const Address *a, const Address *b) noexcept nogil:
    return memcmp(a, b, sizeof(Address)) == 0

cdef inline uint32_t address_hash(const Address *address) noexcept nogil:
    # FNV-1a over the eight-byte words that tell addresses apart
    cdef uint64_t value = 14695981039346656037ULL
    cdef const uint8_t *byte = <const uint8_t *>address
    cdef int i
    for i in range(sizeof(Address)):
        value = (value ^ byte[i]) * 1099511628211ULL
    return <uint32_t>(value ^ (value >> 32))
