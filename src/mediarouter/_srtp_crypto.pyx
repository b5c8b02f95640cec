"""libIPSec_MB by dlopen: present at run time or not, never needed to build.

What is called is declared here by offset into the library's manager, as version 1.3 has it; another version is refused,
since a wrong offset would call something else. GCM goes through plain functions that keep no state. Counter mode and
HMAC go through bursts of jobs, which need a manager; each thread makes its own when it first does so, and it goes with
the thread.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset
from mediarouter._srtp_headers cimport MASK_MAX, header_mask, header_mask_iv, header_mask_size
from mediarouter._srtp_policy cimport SrtpPolicy, srtp_policy_init

import ctypes

cdef extern from *:
    """
    #include <pthread.h>
    #include <stdint.h>
    static __thread void *imb_manager;
    static pthread_key_t imb_key;
    static __thread void *imb_single;
    static pthread_key_t imb_single_key;
    """
    void *imb_manager
    void *imb_single
    ctypedef int pthread_key_t
    pthread_key_t imb_key
    pthread_key_t imb_single_key
    int pthread_key_create(pthread_key_t *key, void (*destructor)(void *) noexcept nogil) noexcept nogil
    int pthread_setspecific(pthread_key_t key, const void *value) noexcept nogil

cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)

cdef extern from "<string.h>" nogil:
    void explicit_bzero(void *memory, size_t size)

ctypedef void (*expand_t)(const void *key, void *enc, void *dec) noexcept nogil
ctypedef void (*block_t)(const void *data, void *digest) noexcept nogil
ctypedef uint32_t (*cipher_burst_t)(void *manager, ImbJob *jobs, uint32_t count, int32_t mode, int32_t direction,
                                    int32_t key_size) noexcept nogil
ctypedef uint32_t (*hash_burst_t)(void *manager, ImbJob *jobs, uint32_t count, int32_t hash_alg) noexcept nogil
ctypedef void *(*alloc_t)(uint64_t flags) noexcept nogil
ctypedef void (*init_t)(void *manager, int32_t *arch) noexcept nogil
ctypedef void (*init_single_t)(void *manager) noexcept nogil
ctypedef void (*release_t)(void *manager) noexcept nogil

cdef enum:
    SINGLE_BELOW = 5               # jobs
    VERSION_LOW = 0x10300          # 1.3.0
    VERSION_HIGH = 0x103FF
    MANAGER_FEATURES = 8           # offsets into IMB_MGR
    MANAGER_ERRNO = 60
    KEYEXP_128 = 112
    KEYEXP_256 = 128
    SHA1_ONE_BLOCK = 160
    GCM128_ENC = 256
    GCM256_ENC = 272
    GCM128_DEC = 280
    GCM256_DEC = 296
    GCM128_PRE = 448
    GCM256_PRE = 464
    CIPHER_BURST_NOCHECK = 992
    HASH_BURST_NOCHECK = 1008
    SELF_TEST_PASS = 1 << 21       # in the features
    CIPHER_CNTR = 2
    DIRECTION_ENCRYPT = 1
    HMAC_SHA_1 = 1

cdef bint present
cdef alloc_t imb_alloc
cdef init_t imb_init
cdef release_t imb_release
cdef expand_t expand_128, expand_256
cdef block_t sha1_block
cdef cipher_burst_t cipher_burst
cdef hash_burst_t hash_burst, hash_burst_single
cdef init_single_t imb_init_single
cdef Gcm gcm_128, gcm_256


cdef void release_manager(void *manager) noexcept nogil:
    imb_release(manager)


cdef void *manager_of_thread() noexcept nogil:
    global imb_manager
    cdef int32_t arch = 0
    if imb_manager == NULL:
        imb_manager = imb_alloc(0)
        if imb_manager != NULL:
            imb_init(imb_manager, &arch)
            pthread_setspecific(imb_key, imb_manager)
    return imb_manager


cdef void *single_of_thread() noexcept nogil:
    # for a few jobs: that of AVX-512 fills 16 lanes whatever it is given, that of SSE hashes one by SHA-NI
    global imb_single
    if imb_single == NULL:
        imb_single = imb_alloc(0)
        if imb_single != NULL:
            imb_init_single(imb_single)
            pthread_setspecific(imb_single_key, imb_single)
    return imb_single


cdef void *slot(void *manager, int offset) noexcept nogil:
    return (<void **>(<uint8_t *>manager + offset))[0]


cdef str take(object library):
    # what is wrong with it, or nothing
    global present, imb_alloc, imb_init, imb_release, expand_128, expand_256, sha1_block, cipher_burst, hash_burst
    global imb_init_single, hash_burst_single
    cdef void *manager
    cdef void *single
    cdef unsigned int version = library.imb_get_version()
    if not VERSION_LOW <= version <= VERSION_HIGH:
        return f"libIPSec_MB {version >> 16}.{(version >> 8) & 0xFF}.{version & 0xFF}, and only 1.3 is known"
    imb_alloc = <alloc_t><size_t>ctypes.cast(library.alloc_mb_mgr, ctypes.c_void_p).value
    imb_init = <init_t><size_t>ctypes.cast(library.init_mb_mgr_auto, ctypes.c_void_p).value
    imb_init_single = <init_single_t><size_t>ctypes.cast(library.init_mb_mgr_sse, ctypes.c_void_p).value
    imb_release = <release_t><size_t>ctypes.cast(library.free_mb_mgr, ctypes.c_void_p).value
    if (pthread_key_create(&imb_key, release_manager) != 0
            or pthread_key_create(&imb_single_key, release_manager) != 0):
        return "no key for a thread's manager"
    manager = manager_of_thread()
    if manager == NULL or (<int32_t *>(<uint8_t *>manager + MANAGER_ERRNO))[0] != 0:
        return "libIPSec_MB does not run on this processor"
    single = single_of_thread()
    if single == NULL or (<int32_t *>(<uint8_t *>single + MANAGER_ERRNO))[0] != 0:
        return "libIPSec_MB does not run on this processor"
    hash_burst_single = <hash_burst_t>slot(single, HASH_BURST_NOCHECK)
    if not (<uint64_t *>(<uint8_t *>manager + MANAGER_FEATURES))[0] & SELF_TEST_PASS:
        return "libIPSec_MB failed its own test"
    expand_128, expand_256 = <expand_t>slot(manager, KEYEXP_128), <expand_t>slot(manager, KEYEXP_256)
    sha1_block = <block_t>slot(manager, SHA1_ONE_BLOCK)
    cipher_burst = <cipher_burst_t>slot(manager, CIPHER_BURST_NOCHECK)
    hash_burst = <hash_burst_t>slot(manager, HASH_BURST_NOCHECK)
    (<void **>&gcm_128.enc)[0], (<void **>&gcm_256.enc)[0] = slot(manager, GCM128_ENC), slot(manager, GCM256_ENC)
    (<void **>&gcm_128.dec)[0], (<void **>&gcm_256.dec)[0] = slot(manager, GCM128_DEC), slot(manager, GCM256_DEC)
    (<void **>&gcm_128.pre)[0], (<void **>&gcm_256.pre)[0] = slot(manager, GCM128_PRE), slot(manager, GCM256_PRE)
    present = True
    return ""


cdef str load():
    try:
        library = ctypes.CDLL("libIPSec_MB.so.1")
    except OSError:
        return "there is no libIPSec_MB.so.1"
    try:
        return take(library)
    except AttributeError as error:
        return f"libIPSec_MB lacks a function: {error}"


problem = load()                   # why it cannot be used; empty: it can


cdef bint crypto_present() noexcept nogil:
    return present


cdef const Gcm *crypto_gcm(int key_size) noexcept nogil:
    return &gcm_256 if key_size == 32 else &gcm_128


cdef bint crypto_counter(ImbJob *jobs, int count, int key_size) noexcept nogil:
    cdef void *manager = manager_of_thread()
    if manager == NULL:
        return False
    return cipher_burst(manager, jobs, count, CIPHER_CNTR, DIRECTION_ENCRYPT, key_size) == <uint32_t>count


cdef bint crypto_hmac(ImbJob *jobs, int count) noexcept nogil:
    cdef bint few = count < SINGLE_BELOW
    cdef void *manager = single_of_thread() if few else manager_of_thread()
    if manager == NULL:
        return False
    return (hash_burst_single if few else hash_burst)(manager, jobs, count, HMAC_SHA_1) == <uint32_t>count


cdef void expand(uint8_t *out, const uint8_t *key, int key_size) noexcept nogil:
    cdef uint8_t room[272]         # the keys of decryption, which counter mode never needs
    cdef uint8_t *aligned = <uint8_t *>((<size_t>room + 15) & ~<size_t>15)
    if key_size == 32:
        expand_256(key, out, aligned)
    else:
        expand_128(key, out, aligned)
    explicit_bzero(room, sizeof(room))


cdef void crypto_install(KeySet *keys, const SrtpPolicy *policy, const uint8_t *key, const uint8_t *salt,
                         const uint8_t *auth) noexcept nogil:
    cdef uint8_t block[64]
    cdef int i
    memcpy(keys.salt, salt, policy.salt_size)
    expand(keys.cipher, key, policy.cipher_key_size)
    if policy.gcm:
        crypto_gcm(policy.cipher_key_size).pre(key, keys.gcm)
        return
    memset(block, 0x36, 64)
    for i in range(20):
        block[i] ^= auth[i]
    sha1_block(block, keys.ipad)
    for i in range(64):
        block[i] ^= 0x36 ^ 0x5C
    sha1_block(block, keys.opad)
    explicit_bzero(block, sizeof(block))


cdef bint prf(KeySet *master, const SrtpPolicy *policy, int label, uint8_t *out, int size) noexcept nogil:
    # AES in counter mode over zeros, keyed by the master key (RFC 3711 section 4.3.3, RFC 6188 section 3)
    cdef ImbJob job
    cdef uint8_t iv[16]
    memset(iv, 0, 16)
    memcpy(iv, policy.key + policy.cipher_key_size, policy.salt_size)
    iv[7] ^= <uint8_t>label
    memset(out, 0, size)
    memset(&job, 0, sizeof(ImbJob))
    counter_job(&job, master, out, out, size, iv, policy.cipher_key_size)
    return crypto_counter(&job, 1, policy.cipher_key_size)


cdef bint derive_from(KeySet *keys, const SrtpPolicy *policy, int label, uint8_t *out) noexcept nogil:
    # out: 32 bytes of key, 20 of authentication key, 14 of salt
    cdef void *room = NULL
    cdef bint done
    if posix_memalign(&room, 64, sizeof(KeySet)) != 0:
        return False
    memset(room, 0, sizeof(KeySet))
    expand((<KeySet *>room).cipher, policy.key, policy.cipher_key_size)
    if label == 6:                 # cipher and salt alone, side by side
        done = (prf(<KeySet *>room, policy, 6, out, policy.cipher_key_size)
                and prf(<KeySet *>room, policy, 7, out + 52, policy.salt_size))
    else:
        done = (prf(<KeySet *>room, policy, label, out, policy.cipher_key_size)
                and prf(<KeySet *>room, policy, label + 1, out + 32, 20)
                and prf(<KeySet *>room, policy, label + 2, out + 52, policy.salt_size))
    explicit_bzero(room, sizeof(KeySet))
    free(room)
    return done


cdef bint crypto_derive(KeySet *keys, const SrtpPolicy *policy, int label) noexcept nogil:
    cdef uint8_t material[68]
    cdef bint done = derive_from(keys, policy, label, material)
    if done:
        crypto_install(keys, policy, material, material + 52, material + 32)
    explicit_bzero(material, sizeof(material))
    return done


cdef bint crypto_derive_header(KeySet *keys, const SrtpPolicy *policy) noexcept nogil:
    cdef uint8_t material[68]
    cdef bint done = derive_from(keys, policy, 6, material)
    if done:
        expand(keys.cipher, material, policy.cipher_key_size)
        memcpy(keys.salt, material + 52, policy.salt_size)         # GCM's 12 bytes and zeros (RFC 7714 section 8.3)
    explicit_bzero(material, sizeof(material))
    return done


cdef bint crypto_mask(const KeySet *keys, const SrtpPolicy *policy, uint8_t *packet, int size,
                      uint64_t index) noexcept nogil:
    # counter mode whatever the profile (RFC 7714 section 8.3)
    cdef uint8_t iv[16]
    cdef uint8_t stream[MASK_MAX]
    cdef ImbJob job
    cdef int i
    size = header_mask_size(packet, size)
    if size <= 0:
        return True
    header_mask_iv(iv, packet, index)
    for i in range(14):
        iv[i] ^= keys.salt[i]
    memset(stream, 0, size)
    memset(&job, 0, sizeof(ImbJob))
    counter_job(&job, keys, stream, stream, size, iv, policy.cipher_key_size)
    if not crypto_counter(&job, 1, policy.cipher_key_size):
        return False
    header_mask(packet, size, policy, stream)
    return True


# ---- doors for the RFCs' vectors

def derive(int profile, bytes key):
    """Session keys by name, `rtp_key`, `rtp_auth`, `rtp_salt`, `rtcp_key` and so on (RFC 3711 section 4.3).

    Args:
        profile: one of `Profile`.
        key: master key, then master salt.
    """
    cdef SrtpPolicy policy
    cdef uint8_t material[68]
    cdef dict keys = {}
    if not present or not srtp_policy_init(&policy, profile, <const uint8_t *><const char *>key, <int>len(key), False):
        raise ValueError(problem or "the key does not fit the profile")
    for name, label in (("rtp", 0), ("rtcp", 3)):
        if not derive_from(NULL, &policy, label, material):
            raise MemoryError
        keys[f"{name}_key"] = (<char *>material)[:policy.cipher_key_size]
        keys[f"{name}_auth"] = (<char *>material)[32:52]
        keys[f"{name}_salt"] = (<char *>material)[52:52 + policy.salt_size]
    return keys


def keystream(bytes key, bytes iv, int size):
    """AES counter mode over zeros.

    Args:
        key: 16 or 32 bytes.
        iv: the first counter block, 16 bytes.
        size: how many bytes, 0 to 65535.
    """
    cdef void *room = NULL
    cdef ImbJob job
    cdef bytearray out = bytearray(size)
    if not present or len(key) not in (16, 32) or len(iv) != 16 or not 0 < size <= 65535:
        raise ValueError(problem or "a key of 16 or 32 bytes, a counter of 16")
    if posix_memalign(&room, 64, sizeof(KeySet)) != 0:
        raise MemoryError
    memset(room, 0, sizeof(KeySet))
    expand((<KeySet *>room).cipher, <const uint8_t *><const char *>key, <int>len(key))
    memset(&job, 0, sizeof(ImbJob))
    counter_job(&job, <KeySet *>room, <uint8_t *><char *>out, <uint8_t *><char *>out, size,
                <const uint8_t *><const char *>iv, <int>len(key))
    crypto_counter(&job, 1, <int>len(key))
    free(room)
    return bytes(out)
