# Where a datagram came from and goes to: a socket address and the socket of ours it belongs to. No system call here.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_INET
        AF_INET6

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

cdef inline void address_set(Address *address, const uint8_t *ip, int ip_size, uint16_t port) noexcept nogil:
    # from 4 or 16 bytes in network order: on the first socket, over UDP
    cdef uint16_t family = <uint16_t>(AF_INET if ip_size == 4 else AF_INET6)
    memset(address, 0, sizeof(Address))
    memcpy(address.sockaddr, &family, 2)
    address.sockaddr[2] = <uint8_t>(port >> 8)
    address.sockaddr[3] = <uint8_t>port
    memcpy(address.sockaddr + (4 if ip_size == 4 else 8), ip, ip_size)
    address.sockaddr_size = 16 if ip_size == 4 else 28

cdef inline bint address_is_ipv4(const Address *address) noexcept nogil:
    # also where an IPv4 peer shows as ::ffff:a.b.c.d, on a socket of both families
    cdef int i
    if address.sockaddr_size == 16:
        return True
    for i in range(8, 18):
        if address.sockaddr[i]:
            return False
    return address.sockaddr[18] == 0xFF and address.sockaddr[19] == 0xFF

cdef inline const uint8_t *address_ip(const Address *address) noexcept nogil:
    # 4 bytes where `address_is_ipv4`, else 16
    if address.sockaddr_size == 16:
        return address.sockaddr + 4
    return address.sockaddr + (20 if address_is_ipv4(address) else 8)
