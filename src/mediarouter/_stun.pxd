# STUN as an ICE-lite server needs it (RFC 8489, RFC 8445): read a binding request, check its integrity, write the
# response. HMAC-SHA1 and CRC-32 are here because no Python may run per check.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._address cimport Address

cdef struct StunMessage:           # borrows `data`
    const uint8_t *data
    uint16_t size
    uint16_t message_type          # 0x0001 binding request, 0x0011 indication, 0x0101 response, 0x0111 error
    const uint8_t *username        # USERNAME, not terminated
    uint16_t username_size
    uint16_t integrity_offset      # of the MESSAGE-INTEGRITY attribute, 0 when there is none
    uint16_t error_code
    uint32_t priority
    uint64_t tie_breaker
    bint has_priority
    bint use_candidate
    bint ice_controlling
    bint ice_controlled
    bint has_fingerprint

# 0 or a Drop code (malformed, fingerprint). RFC 8489 section 5, 14.7
cdef int stun_parse(StunMessage *message, const uint8_t *data, int size) noexcept nogil
cdef bint stun_check_integrity(const StunMessage *message, const uint8_t *password, int password_size) noexcept nogil
# Bytes written (capacity >= 128 is enough)
cdef int stun_write_binding_response(uint8_t *out, int capacity, const StunMessage *request, const Address *source,
                                     const uint8_t *password, int password_size) noexcept nogil
cdef int stun_write_error_response(uint8_t *out, int capacity, const StunMessage *request, int code,
                                   const char *reason, const uint8_t *password, int password_size) noexcept nogil
