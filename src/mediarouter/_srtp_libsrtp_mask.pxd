# The mask over values of header extensions (RFC 6904), by libsrtp's cipher.
from libc.stdint cimport uint8_t, uint64_t
from mediarouter._srtp_policy cimport SrtpPolicy

cdef void *mask_cipher_new(const SrtpPolicy *policy) noexcept nogil            # NULL: no memory
cdef void mask_cipher_free(void *cipher) noexcept nogil
# Mask or unmask; `size`: what header_mask_size said of the packet
cdef bint mask_values(void *cipher, const SrtpPolicy *policy, uint8_t *packet, int size, uint64_t index) noexcept nogil
