# SHA-1 and HMAC-SHA1 (RFC 3174, RFC 2104), because a STUN check is answered without Python. For nothing else.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef struct Sha1:
    uint32_t state[5]
    uint64_t size                  # bytes taken
    uint8_t block[64]

cdef void sha1_init(Sha1 *sha) noexcept nogil
cdef void sha1_update(Sha1 *sha, const uint8_t *data, int size) noexcept nogil
cdef void sha1_final(Sha1 *sha, uint8_t *digest) noexcept nogil            # 20 bytes

cdef void hmac_sha1_init(Sha1 *sha, const uint8_t *key, int key_size) noexcept nogil
cdef void hmac_sha1_final(Sha1 *sha, const uint8_t *key, int key_size, uint8_t *digest) noexcept nogil
