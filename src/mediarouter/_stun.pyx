"""STUN binding requests and responses (RFC 8489), as ICE uses them (RFC 8445 section 7)."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from mediarouter._address cimport Address, address_ip, address_is_ipv4, address_set
from mediarouter._drop cimport (
    DROP_STUN_FINGERPRINT,
    DROP_STUN_MALFORMED,
    DROP_STUN_UNEXPECTED,
    DROP_STUN_UNKNOWN_UFRAG,
)
from mediarouter._rtp cimport read_u16, read_u32, write_u16, write_u32
from mediarouter._sha1 cimport (
    SHA1_DIGEST_SIZE,
    HmacSha1Key,
    Sha1,
    hmac_sha1_begin,
    hmac_sha1_end,
    hmac_sha1_key,
    sha1_update,
)

cdef enum:
    HEADER_SIZE = 20
    MAGIC_COOKIE = 0x2112A442
    ATTRIBUTE_MAPPED = 0x0001
    ATTRIBUTE_USERNAME = 0x0006
    ATTRIBUTE_INTEGRITY = 0x0008
    ATTRIBUTE_ERROR_CODE = 0x0009
    ATTRIBUTE_UNKNOWN = 0x000A
    ATTRIBUTE_REALM = 0x0014
    ATTRIBUTE_NONCE = 0x0015
    ATTRIBUTE_INTEGRITY_SHA256 = 0x001C
    ATTRIBUTE_PASSWORD_ALGORITHM = 0x001D
    ATTRIBUTE_USERHASH = 0x001E
    ATTRIBUTE_XOR_MAPPED = 0x0020
    ATTRIBUTE_PRIORITY = 0x0024
    ATTRIBUTE_USE_CANDIDATE = 0x0025
    ATTRIBUTE_OPTIONAL = 0x8000    # from here on, one that is not known is passed over
    ATTRIBUTE_FINGERPRINT = 0x8028
    ATTRIBUTE_CONTROLLED = 0x8029
    ATTRIBUTE_CONTROLLING = 0x802A
    INTEGRITY_SIZE = 24            # of the whole attribute
    FINGERPRINT_SIZE = 8
    FINGERPRINT_XOR = 0x5354554E
    USERNAME_MAX = 513             # RFC 8489 14.3
    COLON = 58

cdef uint32_t[4][256] crc_tables


cdef int stun_peek_ufrag(const uint8_t *data, int size, const uint8_t **ufrag) noexcept nogil:
    cdef int at = HEADER_SIZE
    cdef int length, i
    cdef int count = 0
    if not is_stun(data, size):
        return DROP_STUN_MALFORMED
    if read_u16(data) not in (STUN_BINDING_REQUEST, STUN_BINDING_INDICATION):
        return DROP_STUN_UNEXPECTED
    while at < size and count < STUN_ATTRIBUTES_MAX:
        length = read_u16(data + at + 2)
        if at + 4 + length > size:
            return DROP_STUN_MALFORMED
        if read_u16(data + at) == ATTRIBUTE_USERNAME:
            if length > USERNAME_MAX:
                return DROP_STUN_MALFORMED
            ufrag[0] = data + at + 4
            for i in range(length):
                if data[at + 4 + i] == COLON:    # between ours and theirs (RFC 8445 7.2.2)
                    return i
            return length
        at += 4 + ((length + 3) & ~3)
        count += 1
    return DROP_STUN_UNKNOWN_UFRAG if at == size else DROP_STUN_MALFORMED


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
        # the fingerprint is the last (RFC 8489 14.7)
        if at + 4 + length > size or count > STUN_ATTRIBUTES_MAX or message.has_fingerprint:
            return DROP_STUN_MALFORMED
        # behind the integrity only the fingerprint counts (RFC 8489 14.5)
        if message.integrity_offset == 0 or kind == ATTRIBUTE_FINGERPRINT:
            result = read_attribute(message, kind, at, length)
            if result < 0:
                return result
        at += 4 + ((length + 3) & ~3)
    return 0


cdef bint stun_check_integrity(const StunMessage *message, const HmacSha1Key *key) noexcept nogil:
    cdef uint8_t digest[20]
    cdef uint8_t difference = 0
    cdef int i
    if message.integrity_offset == 0:
        return False
    compute_integrity(digest, message.data, message.integrity_offset, key)
    for i in range(SHA1_DIGEST_SIZE):            # in the same time wherever they differ
        difference |= digest[i] ^ message.data[message.integrity_offset + 4 + i]
    return difference == 0


cdef int stun_write_binding_response(uint8_t *out, int capacity, const StunMessage *request, const Address *source,
                                     const HmacSha1Key *key) noexcept nogil:
    cdef int size = begin_response(out, capacity, STUN_BINDING_RESPONSE, request)
    cdef int ip_size = 4 if address_is_ipv4(source) else 16
    cdef const uint8_t *ip = address_ip(source)
    cdef int i
    if size == 0:
        return 0
    write_u16(out + size, ATTRIBUTE_XOR_MAPPED)
    write_u16(out + size + 2, <uint16_t>(4 + ip_size))
    out[size + 4] = 0
    out[size + 5] = 1 if ip_size == 4 else 2
    out[size + 6] = source.sockaddr[2] ^ out[4]
    out[size + 7] = source.sockaddr[3] ^ out[5]
    for i in range(ip_size):
        out[size + 8 + i] = ip[i] ^ out[4 + i]   # by the cookie, then the transaction id (RFC 8489 14.2)
    return seal(out, size + 8 + ip_size, key)


cdef int stun_write_error_response(uint8_t *out, int capacity, const StunMessage *request, int code,
                                   const HmacSha1Key *key) noexcept nogil:
    cdef int size = begin_response(out, capacity, STUN_BINDING_ERROR, request)
    cdef int i
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
        write_u16(out + size + 2, 2 * request.unknown_count)
        size += 4
        for i in range(request.unknown_count):
            write_u16(out + size, request.unknown_attributes[i])
            size += 2
        if request.unknown_count & 1:
            write_u16(out + size, 0)
            size += 2
    return seal(out, size, key)


cdef inline bint is_stun(const uint8_t *data, int size) noexcept nogil:
    # RFC 8489 section 5: two zero bits, the cookie, a length that is right and a multiple of four
    return (HEADER_SIZE <= size <= 0xFFFF and data[0] < 0x40 and read_u32(data + 4) == <uint32_t>MAGIC_COOKIE
            and read_u16(data + 2) + HEADER_SIZE == size and size & 3 == 0)


cdef int read_attribute(StunMessage *message, int kind, int at, int length) noexcept nogil:
    cdef const uint8_t *value = message.data + at + 4
    if kind == ATTRIBUTE_USERNAME:
        if length > USERNAME_MAX:
            return DROP_STUN_MALFORMED
        if message.username == NULL:
            message.username = value
            message.username_size = <uint16_t>length
    elif kind == ATTRIBUTE_INTEGRITY:
        if length != SHA1_DIGEST_SIZE:
            return DROP_STUN_MALFORMED
        message.integrity_offset = <uint16_t>at
    elif kind == ATTRIBUTE_FINGERPRINT:
        if length != 4 or read_u32(value) != fingerprint(message.data, at):
            return DROP_STUN_FINGERPRINT
        message.has_fingerprint = True
    elif kind == ATTRIBUTE_PRIORITY:
        if length != 4:
            return DROP_STUN_MALFORMED
        if not message.has_priority:
            message.priority = read_u32(value)
            message.has_priority = True
    elif kind == ATTRIBUTE_USE_CANDIDATE:
        message.use_candidate = True
    elif kind in (ATTRIBUTE_CONTROLLING, ATTRIBUTE_CONTROLLED):
        if length != 8:
            return DROP_STUN_MALFORMED
        if not message.ice_controlling and not message.ice_controlled:
            message.tie_breaker = (<uint64_t>read_u32(value) << 32) | read_u32(value + 4)
            message.ice_controlling = kind == ATTRIBUTE_CONTROLLING
            message.ice_controlled = kind == ATTRIBUTE_CONTROLLED
    elif kind == ATTRIBUTE_ERROR_CODE:
        if length < 4:
            return DROP_STUN_MALFORMED
        if message.error_code == 0:
            message.error_code = <uint16_t>((value[2] & 7) * 100 + value[3])
    elif kind < ATTRIBUTE_OPTIONAL and not is_known(kind) and message.unknown_count < STUN_UNKNOWN_MAX:
        message.unknown_attributes[message.unknown_count] = <uint16_t>kind
        message.unknown_count += 1
    return 0


cdef inline bint is_known(int kind) noexcept nogil:
    # those of RFC 8489 that mean nothing in a check of ICE, and may stand there all the same
    return kind in (ATTRIBUTE_MAPPED, ATTRIBUTE_UNKNOWN, ATTRIBUTE_REALM, ATTRIBUTE_NONCE, ATTRIBUTE_INTEGRITY_SHA256,
                    ATTRIBUTE_PASSWORD_ALGORITHM, ATTRIBUTE_USERHASH, ATTRIBUTE_XOR_MAPPED)


cdef void compute_integrity(uint8_t *digest, const uint8_t *data, int size, const HmacSha1Key *key) noexcept nogil:
    # over all before the attribute, with the length as if the message ended with it (RFC 8489 14.5)
    cdef Sha1 sha
    cdef uint8_t start[20]
    memcpy(start, data, HEADER_SIZE)
    write_u16(start + 2, <uint16_t>(size + INTEGRITY_SIZE - HEADER_SIZE))
    hmac_sha1_begin(&sha, key)
    sha1_update(&sha, start, HEADER_SIZE)
    sha1_update(&sha, data + HEADER_SIZE, size - HEADER_SIZE)
    hmac_sha1_end(&sha, key, digest)


cdef int begin_response(uint8_t *out, int capacity, int message_type, const StunMessage *request) noexcept nogil:
    if capacity < STUN_RESPONSE_MAX:
        return 0
    write_u16(out, <uint16_t>message_type)
    memcpy(out + 4, request.data + 4, 16)        # cookie and transaction id
    return HEADER_SIZE


cdef int seal(uint8_t *out, int size, const HmacSha1Key *key) noexcept nogil:
    if key != NULL:
        write_u16(out + size, ATTRIBUTE_INTEGRITY)
        write_u16(out + size + 2, SHA1_DIGEST_SIZE)
        compute_integrity(out + size + 4, out, size, key)
        size += INTEGRITY_SIZE
    write_u16(out + 2, <uint16_t>(size + FINGERPRINT_SIZE - HEADER_SIZE))
    write_u16(out + size, ATTRIBUTE_FINGERPRINT)
    write_u16(out + size + 2, 4)
    write_u32(out + size + 4, fingerprint(out, size))
    return size + FINGERPRINT_SIZE


cdef uint32_t fingerprint(const uint8_t *data, int size) noexcept nogil:
    # CRC-32 of ITU V.42, then the letters STUN over it (RFC 8489 14.7); four bytes a step, as messages are made of
    cdef uint32_t crc = <uint32_t>0xFFFFFFFF
    cdef int at
    for at in range(0, size, 4):
        crc ^= (data[at] | (<uint32_t>data[at + 1] << 8) | (<uint32_t>data[at + 2] << 16)
                | (<uint32_t>data[at + 3] << 24))
        crc = (crc_tables[3][crc & 0xFF] ^ crc_tables[2][(crc >> 8) & 0xFF] ^ crc_tables[1][(crc >> 16) & 0xFF]
               ^ crc_tables[0][crc >> 24])
    return ~crc ^ <uint32_t>FINGERPRINT_XOR


cdef void make_crc_tables() noexcept nogil:
    # table k: what a byte does to the remainder when k more bytes follow
    cdef uint32_t value
    cdef int i, k, _bit
    for i in range(256):
        value = <uint32_t>i
        for _bit in range(8):
            value = (value >> 1) ^ (<uint32_t>0xEDB88320 if value & 1 else 0)
        crc_tables[0][i] = value
    for i in range(256):
        for k in range(1, 4):
            value = crc_tables[k - 1][i]
            crc_tables[k][i] = (value >> 8) ^ crc_tables[0][value & 0xFF]


make_crc_tables()


# ---- the Python face, for tests

def parse(bytes data, bytes password=b""):
    """Read a STUN message.

    Args:
        data: one datagram.
        password: to check the integrity by.

    Returns:
        Its fields by name, `integrity` True when the password made it; a negative Drop code when it is refused.
    """
    cdef StunMessage message
    cdef HmacSha1Key key = key_of(password)
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
        "unknown_attributes": [message.unknown_attributes[i] for i in range(message.unknown_count)],
        "fingerprint": bool(message.has_fingerprint),
        "integrity": bool(stun_check_integrity(&message, &key)),
    }


def peek_ufrag(bytes data):
    """The first part of USERNAME, or a negative Drop code."""
    cdef const uint8_t *ufrag = NULL
    cdef int size = stun_peek_ufrag(<const uint8_t *><const char *>data, <int>len(data), &ufrag)
    return size if size < 0 else (<const char *>ufrag)[:size]


def binding_response(bytes request, bytes ip, int port, bytes password=None):
    """The response to a request from there; `ip` of 4 or 16 bytes. Without a password it bears no integrity.

    Raises:
        ValueError: not a STUN message, or not an IP address.
    """
    cdef StunMessage message
    cdef Address source
    cdef HmacSha1Key key = key_of(password or b"")
    cdef uint8_t out[192]
    cdef int size
    if len(ip) not in (4, 16):
        raise ValueError("an IP address has 4 or 16 bytes")
    must_parse(&message, request)
    address_set(&source, <const uint8_t *><const char *>ip, <int>len(ip), <uint16_t>port)
    size = stun_write_binding_response(out, sizeof(out), &message, &source, NULL if password is None else &key)
    return (<char *>out)[:size]


def error_response(bytes request, int code, bytes password=None):
    """The error response to a request; without a password it bears no integrity.

    Raises:
        ValueError: not a STUN message.
    """
    cdef StunMessage message
    cdef HmacSha1Key key = key_of(password or b"")
    cdef uint8_t out[192]
    cdef int size
    must_parse(&message, request)
    size = stun_write_error_response(out, sizeof(out), &message, code, NULL if password is None else &key)
    return (<char *>out)[:size]


cdef HmacSha1Key key_of(bytes password):
    cdef HmacSha1Key key
    hmac_sha1_key(&key, <const uint8_t *><const char *>password, <int>len(password))
    return key


cdef int must_parse(StunMessage *message, bytes data) except -1:
    if stun_parse(message, <const uint8_t *><const char *>data, <int>len(data)) < 0:
        raise ValueError("not a STUN message")
    return 0
