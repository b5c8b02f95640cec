"""SHA-1 and HMAC-SHA1, for MESSAGE-INTEGRITY of STUN checks."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from mediarouter._rtp cimport read_u32, write_u32

cdef extern from *:
    """
    /* One block by the processor's own instructions, four rounds each (Intel SDM: SHA1RNDS4, SHA1NEXTE, SHA1MSG1,
       SHA1MSG2): a quarter of the time. They keep the letters a to d in one register, a in its highest word. */
    #if defined(__x86_64__) && defined(__GNUC__)
    #include <cpuid.h>
    #include <immintrin.h>
    #define SHA1_ROUNDS(first, function) \\
        for (i = first; i < first + 5; i++) { \\
            following = abcd; \\
            abcd = _mm_sha1rnds4_epu32(abcd, e, function); \\
            e = _mm_sha1nexte_epu32(following, i < 19 ? w[i + 1] : e_before); \\
        }
    __attribute__((target("sha,ssse3,sse4.1")))
    static void sha1_hardware_block(unsigned int *state, const unsigned char *block) {
        const __m128i swap = _mm_set_epi64x(0x0001020304050607LL, 0x08090a0b0c0d0e0fLL);
        __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0x1B);
        const __m128i abcd_before = abcd, e_before = _mm_set_epi32((int)state[4], 0, 0, 0);
        __m128i w[20], following, e;
        int i;
        for (i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), swap);
        for (i = 4; i < 20; i++)
            w[i] = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w[i - 4], w[i - 3]), w[i - 2]), w[i - 1]);
        e = _mm_add_epi32(e_before, w[0]);
        SHA1_ROUNDS(0, 0)
        SHA1_ROUNDS(5, 1)
        SHA1_ROUNDS(10, 2)
        SHA1_ROUNDS(15, 3)
        _mm_storeu_si128((__m128i *)state, _mm_shuffle_epi32(_mm_add_epi32(abcd, abcd_before), 0x1B));
        state[4] = (unsigned int)_mm_extract_epi32(e, 3);
    }
    static int sha1_hardware_there(void) {
        unsigned int a, b, c, d;
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b >> 29 & 1;
    }
    #else
    static void sha1_hardware_block(unsigned int *state, const unsigned char *block) { }
    static int sha1_hardware_there(void) { return 0; }
    #endif
    """
    void sha1_hardware_block(uint32_t *state, const uint8_t *block) nogil
    bint sha1_hardware_there() nogil

cdef enum:
    BLOCK_SIZE = 64

cdef bint by_hardware = sha1_hardware_there()


cdef void sha1_init(Sha1 *sha) noexcept nogil:
    sha.state[0] = <uint32_t>0x67452301
    sha.state[1] = <uint32_t>0xEFCDAB89
    sha.state[2] = <uint32_t>0x98BADCFE
    sha.state[3] = <uint32_t>0x10325476
    sha.state[4] = <uint32_t>0xC3D2E1F0
    sha.size = 0


cdef void sha1_update(Sha1 *sha, const uint8_t *data, int size) noexcept nogil:
    cdef int filled = <int>(sha.size & (BLOCK_SIZE - 1))
    cdef int part
    sha.size += <uint64_t>size
    while size > 0:
        part = BLOCK_SIZE - filled
        if part > size:
            part = size
        if part == BLOCK_SIZE:
            compress(sha.state, data)
        else:
            memcpy(sha.block + filled, data, part)
            if filled + part == BLOCK_SIZE:
                compress(sha.state, sha.block)
        filled = 0
        data += part
        size -= part


cdef void sha1_final(Sha1 *sha, uint8_t *digest) noexcept nogil:
    # a one bit, zeros, the count of bits (RFC 3174 section 4)
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


cdef void hmac_sha1_key(HmacSha1Key *key, const uint8_t *secret, int size) noexcept nogil:
    cdef uint8_t block[64]
    cdef Sha1 sha
    cdef int i
    memset(block, 0, sizeof(block))
    if size > BLOCK_SIZE:          # a longer one counts by its digest (RFC 2104 section 2)
        sha1_init(&sha)
        sha1_update(&sha, secret, size)
        sha1_final(&sha, block)
    else:
        memcpy(block, secret, size)
    for i in range(BLOCK_SIZE):
        block[i] ^= 0x36
    sha1_init(&sha)
    compress(sha.state, block)
    memcpy(key.inner, sha.state, sizeof(key.inner))
    for i in range(BLOCK_SIZE):
        block[i] ^= 0x36 ^ 0x5C
    sha1_init(&sha)
    compress(sha.state, block)
    memcpy(key.outer, sha.state, sizeof(key.outer))


cdef void hmac_sha1_begin(Sha1 *sha, const HmacSha1Key *key) noexcept nogil:
    memcpy(sha.state, key.inner, sizeof(key.inner))
    sha.size = BLOCK_SIZE


cdef void hmac_sha1_end(Sha1 *sha, const HmacSha1Key *key, uint8_t *digest) noexcept nogil:
    cdef uint8_t inner[20]
    sha1_final(sha, inner)
    memcpy(sha.state, key.outer, sizeof(key.outer))
    sha.size = BLOCK_SIZE
    sha1_update(sha, inner, SHA1_DIGEST_SIZE)
    sha1_final(sha, digest)


cdef inline uint32_t rotate(uint32_t value, int bits) noexcept nogil:
    return (value << bits) | (value >> (32 - bits))


cdef void compress(uint32_t *state, const uint8_t *block) noexcept nogil:
    # RFC 3174 section 6.1. Five rounds a turn, each with its letters moved on by one: nothing is copied between rounds
    cdef uint32_t w[80]
    cdef uint32_t a = state[0]
    cdef uint32_t b = state[1]
    cdef uint32_t c = state[2]
    cdef uint32_t d = state[3]
    cdef uint32_t e = state[4]
    cdef int t
    if by_hardware:
        sha1_hardware_block(state, block)
        return
    for t in range(16):
        w[t] = read_u32(block + 4 * t)
    for t in range(16, 80):
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1)
    for t in range(0, 20, 5):
        choose(a, &b, c, d, &e, w[t])
        choose(e, &a, b, c, &d, w[t + 1])
        choose(d, &e, a, b, &c, w[t + 2])
        choose(c, &d, e, a, &b, w[t + 3])
        choose(b, &c, d, e, &a, w[t + 4])
    for t in range(20, 40, 5):
        parity(a, &b, c, d, &e, w[t], <uint32_t>0x6ED9EBA1)
        parity(e, &a, b, c, &d, w[t + 1], <uint32_t>0x6ED9EBA1)
        parity(d, &e, a, b, &c, w[t + 2], <uint32_t>0x6ED9EBA1)
        parity(c, &d, e, a, &b, w[t + 3], <uint32_t>0x6ED9EBA1)
        parity(b, &c, d, e, &a, w[t + 4], <uint32_t>0x6ED9EBA1)
    for t in range(40, 60, 5):
        majority(a, &b, c, d, &e, w[t])
        majority(e, &a, b, c, &d, w[t + 1])
        majority(d, &e, a, b, &c, w[t + 2])
        majority(c, &d, e, a, &b, w[t + 3])
        majority(b, &c, d, e, &a, w[t + 4])
    for t in range(60, 80, 5):
        parity(a, &b, c, d, &e, w[t], <uint32_t>0xCA62C1D6)
        parity(e, &a, b, c, &d, w[t + 1], <uint32_t>0xCA62C1D6)
        parity(d, &e, a, b, &c, w[t + 2], <uint32_t>0xCA62C1D6)
        parity(c, &d, e, a, &b, w[t + 3], <uint32_t>0xCA62C1D6)
        parity(b, &c, d, e, &a, w[t + 4], <uint32_t>0xCA62C1D6)
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e


cdef inline void choose(uint32_t a, uint32_t *b, uint32_t c, uint32_t d, uint32_t *e, uint32_t word) noexcept nogil:
    e[0] += rotate(a, 5) + (d ^ (b[0] & (c ^ d))) + word + <uint32_t>0x5A827999
    b[0] = rotate(b[0], 30)


cdef inline void majority(uint32_t a, uint32_t *b, uint32_t c, uint32_t d, uint32_t *e, uint32_t word) noexcept nogil:
    e[0] += rotate(a, 5) + ((b[0] & c) | (d & (b[0] | c))) + word + <uint32_t>0x8F1BBCDC
    b[0] = rotate(b[0], 30)


cdef inline void parity(uint32_t a, uint32_t *b, uint32_t c, uint32_t d, uint32_t *e, uint32_t word,
                        uint32_t constant) noexcept nogil:
    e[0] += rotate(a, 5) + (b[0] ^ c ^ d) + word + constant
    b[0] = rotate(b[0], 30)


# ---- the Python face, for tests

def use_hardware(bint wanted):
    """Hash by the processor's own instructions, where it has them, or without; whether that is so now."""
    global by_hardware
    by_hardware = wanted and sha1_hardware_there()
    return by_hardware


def sha1(*parts):
    """The digest of the parts, each taken by an update of its own; 20 bytes."""
    cdef Sha1 sha
    cdef uint8_t digest[20]
    sha1_init(&sha)
    update_all(&sha, parts)
    sha1_final(&sha, digest)
    return (<char *>digest)[:SHA1_DIGEST_SIZE]


def hmac_sha1(bytes secret, *parts):
    """The keyed digest of the parts, each taken by an update of its own; 20 bytes."""
    cdef HmacSha1Key key
    cdef Sha1 sha
    cdef uint8_t digest[20]
    hmac_sha1_key(&key, <const uint8_t *><const char *>secret, <int>len(secret))
    hmac_sha1_begin(&sha, &key)
    update_all(&sha, parts)
    hmac_sha1_end(&sha, &key, digest)
    return (<char *>digest)[:SHA1_DIGEST_SIZE]


cdef int update_all(Sha1 *sha, tuple parts) except -1:
    cdef bytes part
    for part in parts:
        sha1_update(sha, <const uint8_t *><const char *>part, <int>len(part))
    return 0
