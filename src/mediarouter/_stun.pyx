"""STUN binding requests and responses (RFC 8489), as ICE uses them (RFC 8445 section 7)."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from mediarouter._address cimport Address
from mediarouter._drop cimport DROP_STUN_FINGERPRINT, DROP_STUN_MALFORMED, DROP_STUN_UNEXPECTED
from mediarouter._rtp cimport read_u16, read_u32, write_u16, write_u32
from mediarouter._sha1 cimport Sha1, hmac_sha1_final, hmac_sha1_init, sha1_update

cdef enum:
    HEADER_SIZE = 20
    MAGIC_COOKIE = 0x2112A442
    ATTRIBUTE_USERNAME = 0x0006
    ATTRIBUTE_INTEGRITY = 0x0008
    ATTRIBUTE_ERROR_CODE = 0x0009
    ATTRIBUTE_UNKNOWN = 0x000A
    ATTRIBUTE_XOR_MAPPED = 0x0020
    ATTRIBUTE_PRIORITY = 0x0024
    ATTRIBUTE_USE_CANDIDATE = 0x0025
    ATTRIBUTE_FINGERPRINT = 0x8028
    ATTRIBUTE_CONTROLLED = 0x8029
    ATTRIBUTE_CONTROLLING = 0x802A
    INTEGRITY_SIZE = 24            # of the whole attribute
    FINGERPRINT_SIZE = 8
    FINGERPRINT_XOR = 0x5354554E
    USERNAME_MAX = 513             # RFC 8489 14.3
    ATTRIBUTES_MAX = 32

cdef uint32_t[256] crc_table


cdef void make_crc_table() noexcept nogil:
    cdef uint32_t value
    cdef int i, bit
    for i in range(256):
        value = <uint32_t>i
        for bit in range(8):
            value = (value >> 1) ^ (<uint32_t>0xEDB88320 if value & 1 else 0)
        crc_table[i] = value


make_crc_table()


cdef uint32_t fingerprint(const uint8_t *data, int size) noexcept nogil:
    # CRC-32 of ITU V.42, then the letters STUN over it (RFC 8489 14.7)
    cdef uint32_t crc = <uint32_t>0xFFFFFFFF
    cdef int i
    for i in range(size):
        crc = crc_table[(crc ^ data[i]) & 0xFF] ^ (crc >> 8)
    return ~crc ^ <uint32_t>FINGERPRINT_XOR


cdef inline bint is_stun(const uint8_t *data, int size) noexcept nogil:
    return (size >= HEADER_SIZE and data[0] < 4 and read_u32(data + 4) == <uint32_t>MAGIC_COOKIE
            and read_u16(data + 2) + HEADER_SIZE == size and size & 3 == 0)


cdef int stun_peek_ufrag(const uint8_t *data, int size, const uint8_t **ufrag) noexcept nogil:
    cdef int at = HEADER_SIZE
    cdef int length, i
    if not is_stun(data, size):
        return DROP_STUN_MALFORMED
    if read_u16(data) not in (STUN_BINDING_REQUEST, STUN_BINDING_INDICATION):
        return DROP_STUN_UNEXPECTED
    while at + 4 <= size:
        length = read_u16(data + at + 2)
        if at + 4 + length > size:
            return DROP_STUN_MALFORMED
        if read_u16(data + at) == ATTRIBUTE_USERNAME:
            ufrag[0] = data + at + 4
            for i in range(length):
                if data[at + 4 + i] == 58:       # the colon between their names (RFC 8445 7.2.2)
                    return i
            return length
        at += 4 + ((length + 3) & ~3)
    return DROP_STUN_MALFORMED


cdef int stun_parse(StunMessage *message, const uint8_t *data, int size) noexcept nogil:
    cdef int at = HEADER_SIZE
    cdef int count = 0
    cdef int kind, length, result
    memset(message, 0, sizeof(StunMessage))
    if not is_stun(data, size):
        return DROP_STUN_MALFORMED
    message.data = data
    message.size = <uint16_t>size
    message.message_type = read_u16(data)
    while at < size:
        kind = read_u16(data + at)
        length = read_u16(data + at + 2)
        count += 1
        if at + 4 + length > size or count > ATTRIBUTES_MAX or message.has_fingerprint:
            return DROP_STUN_MALFORMED
        # behind the integrity only the fingerprint counts (RFC 8489 14.5)
        if message.integrity_offset == 0 or kind == ATTRIBUTE_FINGERPRINT:
            result = read_attribute(message, kind, at, length)
            if result < 0:
                return result
        at += 4 + ((length + 3) & ~3)
    return 0


cdef int read_attribute(StunMessage *message, int kind, int at, int length) noexcept nogil:
    cdef const uint8_t *value = message.data + at + 4
    if kind == ATTRIBUTE_USERNAME:
        if length > USERNAME_MAX:
            return DROP_STUN_MALFORMED
        message.username = value
        message.username_size = <uint16_t>length
    elif kind == ATTRIBUTE_INTEGRITY:
        if length != INTEGRITY_SIZE - 4:
            return DROP_STUN_MALFORMED
        message.integrity_offset = <uint16_t>at
    elif kind == ATTRIBUTE_FINGERPRINT:
        if length != 4 or read_u32(value) != fingerprint(message.data, at):
            return DROP_STUN_FINGERPRINT
        message.has_fingerprint = True
    elif kind == ATTRIBUTE_PRIORITY:
        if length != 4:
            return DROP_STUN_MALFORMED
        message.has_priority = True
        message.priority = read_u32(value)
    elif kind == ATTRIBUTE_USE_CANDIDATE:
        message.use_candidate = True
    elif kind in (ATTRIBUTE_CONTROLLING, ATTRIBUTE_CONTROLLED):
        if length != 8:
            return DROP_STUN_MALFORMED
        message.tie_breaker = (<uint64_t>read_u32(value) << 32) | read_u32(value + 4)
        if kind == ATTRIBUTE_CONTROLLING:
            message.ice_controlling = True
        else:
            message.ice_controlled = True
    elif kind == ATTRIBUTE_ERROR_CODE:
        if length < 4:
            return DROP_STUN_MALFORMED
        message.error_code = <uint16_t>((value[2] & 7) * 100 + value[3])
    elif kind < 0x8000 and kind != ATTRIBUTE_XOR_MAPPED and message.unknown_attribute == 0:
        message.unknown_attribute = <uint16_t>kind
    return 0


cdef void compute_integrity(uint8_t *digest, const uint8_t *data, int size, const uint8_t *password,
                            int password_size) noexcept nogil:
    # over all before the attribute, with the length as if the message ended with it (RFC 8489 14.5)
    cdef Sha1 sha
    cdef uint8_t length[2]
    write_u16(length, <uint16_t>(size + INTEGRITY_SIZE - HEADER_SIZE))
    hmac_sha1_init(&sha, password, password_size)
    sha1_update(&sha, data, 2)
    sha1_update(&sha, length, 2)
    sha1_update(&sha, data + 4, size - 4)
    hmac_sha1_final(&sha, password, password_size, digest)


cdef bint stun_check_integrity(const StunMessage *message, const uint8_t *password, int password_size) noexcept nogil:
    cdef uint8_t digest[20]
    cdef uint8_t difference = 0
    cdef int i
    if message.integrity_offset == 0:
        return False
    compute_integrity(digest, message.data, message.integrity_offset, password, password_size)
    for i in range(20):            # in the same time wherever they differ
        difference |= digest[i] ^ message.data[message.integrity_offset + 4 + i]
    return difference == 0


cdef int begin_response(uint8_t *out, int capacity, int message_type, const StunMessage *request) noexcept nogil:
    if capacity < STUN_RESPONSE_MAX:
        return 0
    write_u16(out, <uint16_t>message_type)
    memcpy(out + 4, request.data + 4, 16)
    return HEADER_SIZE


cdef int seal(uint8_t *out, int size, const uint8_t *password, int password_size) noexcept nogil:
    # MESSAGE-INTEGRITY where there is a password, FINGERPRINT
    if password_size:
        write_u16(out + size, ATTRIBUTE_INTEGRITY)
        write_u16(out + size + 2, INTEGRITY_SIZE - 4)
        compute_integrity(out + size + 4, out, size, password, password_size)
        size += INTEGRITY_SIZE
    write_u16(out + 2, <uint16_t>(size + FINGERPRINT_SIZE - HEADER_SIZE))
    write_u16(out + size, ATTRIBUTE_FINGERPRINT)
    write_u16(out + size + 2, 4)
    write_u32(out + size + 4, fingerprint(out, size))
    return size + FINGERPRINT_SIZE


cdef int stun_write_binding_response(uint8_t *out, int capacity, const StunMessage *request, const Address *source,
                                     const uint8_t *password, int password_size) noexcept nogil:
    cdef int size = begin_response(out, capacity, STUN_BINDING_RESPONSE, request)
    cdef int host_size, i
    cdef const uint8_t *host
    if size == 0:
        return 0
    # an IPv4 peer on a socket of both families shows as ::ffff:a.b.c.d: tell it its own form
    if source.sockaddr_size == 28 and not is_mapped(source.sockaddr + 8):
        host = source.sockaddr + 8
        host_size = 16
    else:
        host = source.sockaddr + (4 if source.sockaddr_size == 16 else 20)
        host_size = 4
    write_u16(out + size, ATTRIBUTE_XOR_MAPPED)
    write_u16(out + size + 2, <uint16_t>(4 + host_size))
    out[size + 4] = 0
    out[size + 5] = 1 if host_size == 4 else 2
    out[size + 6] = source.sockaddr[2] ^ 0x21
    out[size + 7] = source.sockaddr[3] ^ 0x12
    for i in range(host_size):
        out[size + 8 + i] = host[i] ^ out[4 + i]     # cookie, then transaction id (RFC 8489 14.2)
    return seal(out, size + 8 + host_size, password, password_size)


cdef inline bint is_mapped(const uint8_t *host) noexcept nogil:
    cdef int i
    for i in range(10):
        if host[i]:
            return False
    return host[10] == 0xFF and host[11] == 0xFF


cdef int stun_write_error_response(uint8_t *out, int capacity, const StunMessage *request, int code,
                                   const uint8_t *password, int password_size) noexcept nogil:
    cdef int size = begin_response(out, capacity, STUN_BINDING_ERROR, request)
    if size == 0:
        return 0
    write_u16(out + size, ATTRIBUTE_ERROR_CODE)
    write_u16(out + size + 2, 4)
    write_u16(out + size + 4, 0)
    out[size + 6] = <uint8_t>(code // 100)
    out[size + 7] = <uint8_t>(code % 100)
    size += 8
    if code == 420:
        write_u16(out + size, ATTRIBUTE_UNKNOWN)
        write_u16(out + size + 2, 2)
        write_u16(out + size + 4, request.unknown_attribute)
        write_u16(out + size + 6, 0)
        size += 8
    return seal(out, size, password, password_size)


# ---- the Python face

def parse(bytes data, bytes password=b""):
    """Read a STUN message.

    Args:
        data: one datagram.
        password: to check the integrity by.

    Returns:
        Its fields by name, `integrity` True when the password made it; a negative Drop code when it is refused.
    """
    cdef StunMessage message
    cdef int result = stun_parse(&message, <const uint8_t *><const char *>data, <int>len(data))
    if result < 0:
        return result
    return {
        "message_type": message.message_type,
        "username": None if message.username == NULL else (<const char *>message.username)[:message.username_size],
        "priority": message.priority if message.has_priority else None,
        "use_candidate": bool(message.use_candidate),
        "ice_controlling": message.tie_breaker if message.ice_controlling else None,
        "ice_controlled": message.tie_breaker if message.ice_controlled else None,
        "error_code": message.error_code,
        "unknown_attribute": message.unknown_attribute,
        "fingerprint": bool(message.has_fingerprint),
        "integrity": bool(stun_check_integrity(&message, <const uint8_t *><const char *>password, <int>len(password))),
    }


def peek_ufrag(bytes data):
    """The first part of USERNAME, or a negative Drop code."""
    cdef const uint8_t *ufrag = NULL
    cdef int size = stun_peek_ufrag(<const uint8_t *><const char *>data, <int>len(data), &ufrag)
    return size if size < 0 else (<const char *>ufrag)[:size]


def error_response(bytes request, int code, bytes password):
    """The error response to a request."""
    cdef StunMessage message
    cdef uint8_t out[256]
    cdef int size
    if stun_parse(&message, <const uint8_t *><const char *>request, <int>len(request)) < 0:
        raise ValueError("not a STUN message")
    size = stun_write_error_response(out, sizeof(out), &message, code, <const uint8_t *><const char *>password,
                                     <int>len(password))
    return (<char *>out)[:size]
