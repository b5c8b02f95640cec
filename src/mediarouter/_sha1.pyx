"""SHA-1 and HMAC-SHA1, for MESSAGE-INTEGRITY of STUN checks."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset
from mediarouter._rtp cimport read_u32, write_u32

cdef enum:
    BLOCK_SIZE = 64
    DIGEST_SIZE = 20


cdef void sha1_init(Sha1 *sha) noexcept nogil:
    sha.state[0] = <uint32_t>0x67452301
    sha.state[1] = <uint32_t>0xEFCDAB89
    sha.state[2] = <uint32_t>0x98BADCFE
    sha.state[3] = <uint32_t>0x10325476
    sha.state[4] = <uint32_t>0xC3D2E1F0
    sha.size = 0


cdef inline uint32_t rotate(uint32_t value, int bits) noexcept nogil:
    return (value << bits) | (value >> (32 - bits))


cdef void compress(uint32_t *state, const uint8_t *block) noexcept nogil:
    # RFC 3174 section 6.1
    cdef uint32_t w[80]
    cdef uint32_t a, b, c, d, e, mixed
    cdef int t
    for t in range(16):
        w[t] = read_u32(block + 4 * t)
    for t in range(16, 80):
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1)
    a = state[0]
    b = state[1]
    c = state[2]
    d = state[3]
    e = state[4]
    for t in range(80):
        if t < 20:
            mixed = ((b & c) | (~b & d)) + <uint32_t>0x5A827999
        elif t < 40:
            mixed = (b ^ c ^ d) + <uint32_t>0x6ED9EBA1
        elif t < 60:
            mixed = ((b & c) | (b & d) | (c & d)) + <uint32_t>0x8F1BBCDC
        else:
            mixed = (b ^ c ^ d) + <uint32_t>0xCA62C1D6
        mixed += rotate(a, 5) + e + w[t]
        e = d
        d = c
        c = rotate(b, 30)
        b = a
        a = mixed
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e


cdef void sha1_update(Sha1 *sha, const uint8_t *data, int size) noexcept nogil:
    cdef int filled = <int>(sha.size & (BLOCK_SIZE - 1))
    cdef int part
    sha.size += <uint32_t>size
    while size > 0:
        part = BLOCK_SIZE - filled
        if part > size:
            part = size
        memcpy(sha.block + filled, data, part)
        filled += part
        data += part
        size -= part
        if filled == BLOCK_SIZE:
            compress(sha.state, sha.block)
            filled = 0


cdef void sha1_final(Sha1 *sha, uint8_t *digest) noexcept nogil:
    cdef uint64_t bits = sha.size * 8
    cdef uint8_t tail[72]
    cdef int padding = BLOCK_SIZE - <int>((sha.size + 8) & (BLOCK_SIZE - 1))
    cdef int i
    memset(tail, 0, sizeof(tail))
    tail[0] = 0x80
    write_u32(tail + padding, <uint32_t>(bits >> 32))
    write_u32(tail + padding + 4, <uint32_t>bits)
    sha1_update(sha, tail, padding + 8)
    for i in range(5):
        write_u32(digest + 4 * i, sha.state[i])


cdef void begin_with_key(Sha1 *sha, const uint8_t *key, int key_size, uint8_t mask) noexcept nogil:
    cdef uint8_t block[64]
    cdef Sha1 of_key
    cdef int i
    memset(block, 0, sizeof(block))
    if key_size > BLOCK_SIZE:
        sha1_init(&of_key)
        sha1_update(&of_key, key, key_size)
        sha1_final(&of_key, block)
    else:
        memcpy(block, key, key_size)
    for i in range(BLOCK_SIZE):
        block[i] ^= mask
    sha1_init(sha)
    sha1_update(sha, block, BLOCK_SIZE)


cdef void hmac_sha1_init(Sha1 *sha, const uint8_t *key, int key_size) noexcept nogil:
    begin_with_key(sha, key, key_size, 0x36)


cdef void hmac_sha1_final(Sha1 *sha, const uint8_t *key, int key_size, uint8_t *digest) noexcept nogil:
    cdef Sha1 outer
    cdef uint8_t inner[20]
    sha1_final(sha, inner)
    begin_with_key(&outer, key, key_size, 0x5C)
    sha1_update(&outer, inner, DIGEST_SIZE)
    sha1_final(&outer, digest)


def sha1(bytes data):
    """The digest of `data`, 20 bytes; for tests."""
    cdef Sha1 sha
    cdef uint8_t digest[20]
    sha1_init(&sha)
    sha1_update(&sha, <const uint8_t *><const char *>data, <int>len(data))
    sha1_final(&sha, digest)
    return (<char *>digest)[:DIGEST_SIZE]


def hmac_sha1(bytes key, bytes data):
    """The keyed digest of `data`, 20 bytes; for tests."""
    cdef Sha1 sha
    cdef uint8_t digest[20]
    hmac_sha1_init(&sha, <const uint8_t *><const char *>key, <int>len(key))
    sha1_update(&sha, <const uint8_t *><const char *>data, <int>len(data))
    hmac_sha1_final(&sha, <const uint8_t *><const char *>key, <int>len(key), digest)
    return (<char *>digest)[:DIGEST_SIZE]
