# STUN as an ICE-lite server needs it (RFC 8489, RFC 8445): read a binding request, check its integrity, write the
# response. In C, because no Python may run per check.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._address cimport Address
from mediarouter._sha1 cimport HmacSha1Key

cdef enum:
    STUN_BINDING_REQUEST = 0x0001
    STUN_BINDING_INDICATION = 0x0011
    STUN_BINDING_RESPONSE = 0x0101
    STUN_BINDING_ERROR = 0x0111
    STUN_RESPONSE_MAX = 192        # room that every response of ours fits into
    STUN_ATTRIBUTES_MAX = 32       # a message with more is refused
    STUN_UNKNOWN_MAX = 4           # attributes that error 420 names

cdef struct StunMessage:           # borrows `data`
    const uint8_t *data
    uint16_t size
    uint16_t message_type
    const uint8_t *username        # USERNAME, not terminated; NULL: none
    uint16_t username_size
    uint16_t integrity_offset      # of the MESSAGE-INTEGRITY attribute, 0 when there is none
    uint16_t unknown_attributes[4]     # those that must be understood and are not
    uint16_t unknown_count
    uint16_t error_code
    uint32_t priority
    uint64_t tie_breaker
    bint has_priority
    bint use_candidate
    bint ice_controlling
    bint ice_controlled
    bint has_fingerprint

# 0 or a Drop code (malformed, wrong fingerprint). Of an attribute that comes twice the first counts; behind the
# integrity only the fingerprint does. RFC 8489 sections 5, 14
cdef int stun_parse(StunMessage *message, const uint8_t *data, int size) noexcept nogil
# Find the first part of USERNAME (before the colon) of a binding request or indication: its size, or a Drop code. It
# reads the headers of at most STUN_ATTRIBUTES_MAX attributes, hashes and keeps nothing: what a stranger's check costs.
cdef int stun_peek_ufrag(const uint8_t *data, int size, const uint8_t **ufrag) noexcept nogil
cdef bint stun_check_integrity(const StunMessage *message, const HmacSha1Key *key) noexcept nogil
# Bytes written, 0: no room for STUN_RESPONSE_MAX. With fingerprint, and integrity unless the key is NULL. RFC 8489
# sections 14.2, 14.8
cdef int stun_write_binding_response(uint8_t *out, int capacity, const StunMessage *request, const Address *source,
                                     const HmacSha1Key *key) noexcept nogil
cdef int stun_write_error_response(uint8_t *out, int capacity, const StunMessage *request, int code,
                                   const HmacSha1Key *key) noexcept nogil
