"""The mask over values of header extensions (RFC 6904), by libsrtp's cipher and not by its own loop over the elements.

Section 4 has a byte of keystream for every byte of the block. libsrtp takes none for the padding between elements, so
that all behind it comes out otherwise; and padding before the first element it reads as an element.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from mediarouter._srtp_headers cimport MASK_MAX, header_mask, header_mask_iv
from mediarouter._srtp_policy cimport SrtpPolicy

import ctypes

from pylibsrtp import _binding

ctypedef int (*alloc_t)(int kind, void **cipher, int key_size, int tag_size) noexcept nogil
ctypedef int (*init_t)(void *cipher, const uint8_t *key) noexcept nogil
ctypedef int (*set_iv_t)(void *cipher, const uint8_t *iv, int direction) noexcept nogil
ctypedef int (*output_t)(void *cipher, uint8_t *out, uint32_t *size) noexcept nogil
ctypedef int (*dealloc_t)(void *cipher) noexcept nogil

cdef extern from "<string.h>" nogil:
    void explicit_bzero(void *memory, size_t size)

cdef enum:
    AES_ICM_128 = 1                # libsrtp's numbers of the ciphers of RFC 3711
    AES_ICM_256 = 5                # and of RFC 6188
    SALT_SIZE = 14                 # bytes behind the key; GCM's 12 and zeros (RFC 7714 section 8.3)
    DIRECTION_ENCRYPT = 0          # srtp_cipher_direction_t
    LABEL_KEY = 6                  # RFC 6904 section 3
    LABEL_SALT = 7

cdef alloc_t cipher_alloc
cdef init_t cipher_init
cdef set_iv_t cipher_set_iv
cdef output_t cipher_output
cdef dealloc_t cipher_dealloc


cdef size_t address_of(object library, str name) except 0:
    return <size_t>ctypes.cast(getattr(library, name), ctypes.c_void_p).value


cdef int load() except -1:
    global cipher_alloc, cipher_init, cipher_set_iv, cipher_output, cipher_dealloc
    library = ctypes.CDLL(_binding.__file__)
    cipher_alloc = <alloc_t>address_of(library, "srtp_crypto_kernel_alloc_cipher")
    cipher_init = <init_t>address_of(library, "srtp_cipher_init")
    cipher_set_iv = <set_iv_t>address_of(library, "srtp_cipher_set_iv")
    cipher_output = <output_t>address_of(library, "srtp_cipher_output")
    cipher_dealloc = <dealloc_t>address_of(library, "srtp_cipher_dealloc")
    return 0


load()


cdef bint keystream(void *cipher, const uint8_t *iv, uint8_t *out, uint32_t size) noexcept nogil:
    return cipher_set_iv(cipher, iv, DIRECTION_ENCRYPT) == 0 and cipher_output(cipher, out, &size) == 0


cdef bint derive(void *cipher, int label, uint8_t *out, int size) noexcept nogil:
    # `cipher` has the master key (RFC 3711 section 4.3.3)
    cdef uint8_t iv[16]
    memset(iv, 0, 16)
    iv[7] = <uint8_t>label
    return keystream(cipher, iv, out, size)


cdef bint install(void *cipher, const SrtpPolicy *policy) noexcept nogil:
    cdef uint8_t master[48]
    cdef uint8_t keys[48]
    cdef bint done
    memset(master, 0, sizeof(master))
    memset(keys, 0, sizeof(keys))
    memcpy(master, policy.key, policy.key_size)
    done = (cipher_init(cipher, master) == 0
            and derive(cipher, LABEL_KEY, keys, policy.cipher_key_size)
            and derive(cipher, LABEL_SALT, keys + policy.cipher_key_size, policy.salt_size)
            and cipher_init(cipher, keys) == 0)
    explicit_bzero(master, sizeof(master))
    explicit_bzero(keys, sizeof(keys))
    return done


cdef void *mask_cipher_new(const SrtpPolicy *policy) noexcept nogil:
    cdef void *cipher = NULL
    cdef int kind = AES_ICM_256 if policy.cipher_key_size == 32 else AES_ICM_128
    if cipher_alloc(kind, &cipher, policy.cipher_key_size + SALT_SIZE, 0) != 0:
        return NULL
    if not install(cipher, policy):
        cipher_dealloc(cipher)
        return NULL
    return cipher


cdef void mask_cipher_free(void *cipher) noexcept nogil:
    cipher_dealloc(cipher)


cdef bint mask_values(void *cipher, const SrtpPolicy *policy, uint8_t *packet, int size, uint64_t index) noexcept nogil:
    cdef uint8_t iv[16]
    cdef uint8_t stream[MASK_MAX]
    if size == 0:
        return True
    header_mask_iv(iv, packet, index)
    if not keystream(cipher, iv, stream, size):
        return False
    header_mask(packet, size, policy, stream)
    return True
