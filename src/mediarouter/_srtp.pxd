# SRTP and SRTCP (RFC 3711, 7714): one direction of one peer is a SrtpContext; the engine calls these functions without
# the GIL. `SrtpSession` is the Python face of a pair of them.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from mediarouter._srtp_policy cimport (
    SRTP_MAX_TRAILER, SrtpBackend, SrtpContext, SrtpFanoutItem, SrtpPolicy, SrtpProfile)

# NULL: bad key size or no memory; key = master key + master salt
cdef SrtpContext *srtp_context_new(SrtpProfile profile, const uint8_t *key, int key_size,
                                   bint inbound) noexcept nogil
cdef SrtpContext *srtp_context_with(const SrtpBackend *backend, const SrtpPolicy *policy) noexcept nogil
cdef void srtp_context_free(SrtpContext *context) noexcept nogil
# In place. The new size, or a Drop code. protect needs SRTP_MAX_TRAILER bytes of room behind `size`.
cdef int srtp_context_protect(SrtpContext *context, uint8_t *packet, int size) noexcept nogil
cdef int srtp_context_unprotect(SrtpContext *context, uint8_t *packet, int size) noexcept nogil
cdef int srtp_context_protect_rtcp(SrtpContext *context, uint8_t *packet, int size) noexcept nogil
cdef int srtp_context_unprotect_rtcp(SrtpContext *context, uint8_t *packet, int size) noexcept nogil
# The same with the result elsewhere: `out` must not overlap `packet`
cdef int srtp_context_protect_to(SrtpContext *context, uint8_t *out, const uint8_t *packet, int size) noexcept nogil
cdef int srtp_context_protect_rtcp_to(SrtpContext *context, uint8_t *out, const uint8_t *packet,
                                      int size) noexcept nogil
# Forget an SSRC's index and replay window; an unknown one is no error
cdef void srtp_context_remove_ssrc(SrtpContext *context, uint32_t ssrc) noexcept nogil
# Many packets, each under its own context: headers are written, payloads go behind them and all is protected. Runs of
# items with one profile are fastest. Each item's size is its result.
cdef void srtp_protect_many(SrtpFanoutItem *items, int count) noexcept nogil
# Bytes by which a protected RTP packet is longer, at most
cdef int srtp_context_growth(const SrtpContext *context) noexcept nogil
# The same with one payload for all of them
cdef void srtp_fanout_protect(SrtpFanoutItem *items, int count, const uint8_t *payload, int size) noexcept nogil

cdef class SrtpSession:
    cdef SrtpContext *outbound
    cdef SrtpContext *inbound
    cdef bint cryptex_on
    cdef bytes kept                # the last result of protect, for its memory
    cdef Py_ssize_t kept_room
    cdef uint8_t buffer[65536 + 256]
    cdef inline bytes room_for(self, Py_ssize_t size)
    cdef bytes run(self, int (*function)(SrtpContext *, uint8_t *, int) noexcept nogil, packet)
