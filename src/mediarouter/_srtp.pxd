# SRTP and SRTCP (RFC 3711, 7714): one direction of one peer is a SrtpContext; the engine calls these functions without
# the GIL. `SrtpSession` is the Python face of a pair of them.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum SrtpProfile:             # the numbers of RFC 5764 and 7714; AES-256-CM is signalled by SDES only (RFC 6188)
    SRTP_AES128_CM_SHA1_80 = 0x0001
    SRTP_AES128_CM_SHA1_32 = 0x0002
    SRTP_AEAD_AES_128_GCM = 0x0007
    SRTP_AEAD_AES_256_GCM = 0x0008
    SRTP_AES256_CM_SHA1_80 = 0x0101
    SRTP_AES256_CM_SHA1_32 = 0x0102

cdef enum:
    SRTP_MAX_TRAILER = 144         # bytes a protected packet may grow by

cdef struct SrtpContext            # private to _srtp.pyx

# Resolve the backend's functions; called once at import by `_srtp` itself. NULL from `_new`: bad key size or no memory.
cdef SrtpContext *srtp_context_new(SrtpProfile profile, const uint8_t *key, int key_size,
                                   bint inbound) noexcept nogil           # key = master key + master salt
cdef void srtp_context_free(SrtpContext *context) noexcept nogil
# In place. The new size, or a Drop code. protect needs SRTP_MAX_TRAILER bytes of room behind `size`.
cdef int srtp_context_protect(SrtpContext *context, uint8_t *packet, int size) noexcept nogil
cdef int srtp_context_unprotect(SrtpContext *context, uint8_t *packet, int size) noexcept nogil
cdef int srtp_context_protect_rtcp(SrtpContext *context, uint8_t *packet, int size) noexcept nogil
cdef int srtp_context_unprotect_rtcp(SrtpContext *context, uint8_t *packet, int size) noexcept nogil
# Forget an SSRC's keys, index and replay window; an unknown one is no error
cdef void srtp_context_remove_ssrc(SrtpContext *context, uint32_t ssrc) noexcept nogil
