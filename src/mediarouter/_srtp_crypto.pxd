# The ciphers of SRTP out of libIPSec_MB.so.1, if that is here: AES-GCM, AES counter mode, HMAC-SHA1, key derivation.
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from mediarouter._srtp_policy cimport SrtpPolicy

cdef struct ImbJob:                # IMB_JOB of version 1.3, 200 bytes
    const void *enc_keys
    const void *dec_keys
    uint64_t key_len
    const uint8_t *src
    uint8_t *dst
    uint64_t cipher_offset
    uint64_t cipher_len
    uint64_t hash_offset
    uint64_t hash_len
    const uint8_t *iv
    uint64_t iv_len
    uint8_t *tag
    uint64_t tag_len
    const uint8_t *ipad
    const uint8_t *opad
    const void *unused
    int32_t status
    int32_t cipher_mode
    int32_t direction
    int32_t hash_alg
    int32_t order
    int32_t gap
    void *user_data
    void *user_data2
    void *cipher_func
    void *hash_func
    int32_t sgl_state
    int32_t gap2
    void *next_iv

cdef struct KeySet:                # session keys of RTP or of RTCP; aligned to 64 bytes, and of such a size
    uint8_t gcm[1024]              # gcm_key_data
    uint8_t cipher[256]            # round keys of counter mode
    uint8_t ipad[32]               # SHA1's state behind the padded key
    uint8_t opad[32]
    uint8_t salt[16]
    uint8_t gap[48]

cdef struct Gcm:                   # how to call it for one size of key
    void (*enc)(const void *key, void *context, uint8_t *out, const uint8_t *data, uint64_t size, const uint8_t *iv,
                const uint8_t *aad, uint64_t aad_size, uint8_t *tag, uint64_t tag_size) noexcept nogil
    void (*dec)(const void *key, void *context, uint8_t *out, const uint8_t *data, uint64_t size, const uint8_t *iv,
                const uint8_t *aad, uint64_t aad_size, uint8_t *tag, uint64_t tag_size) noexcept nogil
    void (*pre)(const void *key, void *expanded) noexcept nogil

cdef enum:
    BURST = 16                     # jobs handed over at once

cdef bint crypto_present() noexcept nogil
cdef const Gcm *crypto_gcm(int key_size) noexcept nogil
# Session keys out of master key and salt; `label` 0 for RTP, 3 for RTCP (RFC 3711 section 4.3). False: no memory
cdef bint crypto_derive(KeySet *keys, const SrtpPolicy *policy, int label) noexcept nogil
# The cipher that masks header extensions (RFC 6904 section 4)
cdef bint crypto_derive_header(KeySet *keys, const SrtpPolicy *policy) noexcept nogil
# Mask or unmask the values of the policy's ids in a header of `size` bytes that can be masked
cdef bint crypto_mask(const KeySet *keys, const SrtpPolicy *policy, uint8_t *packet, int size,
                      uint64_t index) noexcept nogil
# Session keys as they are, for the vectors that state them
cdef void crypto_install(KeySet *keys, const SrtpPolicy *policy, const uint8_t *key, const uint8_t *salt,
                         const uint8_t *auth) noexcept nogil
# Counter mode, in place or not; a burst has one size of key. False: this thread can have no manager
cdef bint crypto_counter(ImbJob *jobs, int count, int key_size) noexcept nogil
cdef bint crypto_hmac(ImbJob *jobs, int count) noexcept nogil

cdef inline void counter_job(ImbJob *job, const KeySet *keys, uint8_t *out, const uint8_t *data, int size,
                             const uint8_t *iv, int key_size) noexcept nogil:
    job.enc_keys = job.dec_keys = keys.cipher
    job.key_len = key_size
    job.src, job.dst = data, out
    job.cipher_offset = 0
    job.cipher_len = size
    job.iv = iv
    job.iv_len = 16

cdef inline void hmac_job(ImbJob *job, const KeySet *keys, const uint8_t *data, int size, uint8_t *tag) noexcept nogil:
    job.src = data
    job.hash_offset = 0
    job.hash_len = size
    job.tag = tag
    job.tag_len = 20
    job.ipad, job.opad = keys.ipad, keys.opad
