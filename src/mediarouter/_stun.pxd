# STUN as an ICE-lite server needs it (RFC 8489, RFC 8445): read a binding request, check its integrity, write the
# response. In C, because no Python may run per check.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._address cimport Address

cdef enum:
    STUN_BINDING_REQUEST = 0x0001
    STUN_BINDING_INDICATION = 0x0011
    STUN_BINDING_RESPONSE = 0x0101
    STUN_BINDING_ERROR = 0x0111
    STUN_RESPONSE_MAX = 192        # room that every response of ours fits into

cdef struct StunMessage:           # borrows `data`
    const uint8_t *data
    uint16_t size
    uint16_t message_type
    const uint8_t *username        # USERNAME, not terminated; NULL: none
    uint16_t username_size
    uint16_t integrity_offset      # of the MESSAGE-INTEGRITY attribute, 0 when there is none
    uint16_t unknown_attribute     # the first one that must be understood and is not, 0 none
    uint16_t error_code
    uint32_t priority
    uint64_t tie_breaker
    bint has_priority
    bint use_candidate
    bint ice_controlling
    bint ice_controlled
    bint has_fingerprint

# 0 or a Drop code (malformed, wrong fingerprint). RFC 8489 sections 5, 14
cdef int stun_parse(StunMessage *message, const uint8_t *data, int size) noexcept nogil
# Find the first part of USERNAME of a binding request or indication, looking at as little as can be: its size, or a
# Drop code
cdef int stun_peek_ufrag(const uint8_t *data, int size, const uint8_t **ufrag) noexcept nogil
cdef bint stun_check_integrity(const StunMessage *message, const uint8_t *password, int password_size) noexcept nogil
# Bytes written, 0: no room. RFC 8489 section 14.2, with integrity and fingerprint
cdef int stun_write_binding_response(uint8_t *out, int capacity, const StunMessage *request, const Address *source,
                                     const uint8_t *password, int password_size) noexcept nogil
cdef int stun_write_error_response(uint8_t *out, int capacity, const StunMessage *request, int code,
                                   const uint8_t *password, int password_size) noexcept nogil
