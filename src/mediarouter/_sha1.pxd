# SHA-1 and HMAC-SHA1 (RFC 3174, RFC 2104), because a STUN check is answered without Python. For nothing else.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    SHA1_DIGEST_SIZE = 20          # bytes

cdef struct Sha1:
    uint32_t state[5]
    uint64_t size                  # bytes taken
    uint8_t block[64]              # the part of them that fills no block yet

cdef struct HmacSha1Key:           # a key ready for use: the states behind its two padded blocks
    uint32_t inner[5]
    uint32_t outer[5]

cdef void sha1_init(Sha1 *sha) noexcept nogil
cdef void sha1_update(Sha1 *sha, const uint8_t *data, int size) noexcept nogil
cdef void sha1_final(Sha1 *sha, uint8_t *digest) noexcept nogil            # SHA1_DIGEST_SIZE bytes

# Once per key; it saves four of the ten blocks that a check and its answer would hash
cdef void hmac_sha1_key(HmacSha1Key *key, const uint8_t *secret, int size) noexcept nogil
# Per message: begin, then sha1_update, then end
cdef void hmac_sha1_begin(Sha1 *sha, const HmacSha1Key *key) noexcept nogil
cdef void hmac_sha1_end(Sha1 *sha, const HmacSha1Key *key, uint8_t *digest) noexcept nogil
