# What SRTP is told of a direction (profile, keys, options), and what a backend must be able to do. No code of a backend
# is here, so that backends, their choice and the façade can all know it.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum SrtpProfile:             # the numbers of RFC 5764 and 7714; AES-256-CM is signalled by SDES only (RFC 6188)
    SRTP_AES128_CM_SHA1_80 = 0x0001
    SRTP_AES128_CM_SHA1_32 = 0x0002
    SRTP_AEAD_AES_128_GCM = 0x0007
    SRTP_AEAD_AES_256_GCM = 0x0008
    SRTP_AES256_CM_SHA1_80 = 0x0101
    SRTP_AES256_CM_SHA1_32 = 0x0102

cdef enum:
    SRTP_MAX_TRAILER = 144         # bytes a protected packet may grow by
    SRTP_MKI_MAX = 120             # bytes, so that the trailer holds tag, index and cryptex's empty block too
    SRTP_KEY_MAX = 46              # master key and master salt, bytes
    SRTP_STREAMS_MAX = 4096        # SSRCs a direction remembers; another one is refused
    SRTP_ROC_RETRIES = 256         # guesses at the rollover counter of unknown SSRCs that may fail in a row
    SRTP_WINDOW = 128              # packets the replay windows hold
    RTP_HEADER_SIZE = 12
    RTCP_HEADER_SIZE = 8

cdef struct SrtpPolicy:
    SrtpProfile profile
    bint inbound
    bint gcm
    bint cryptex                   # RFC 9335
    bint masks_headers             # some id below is set (RFC 6904)
    int key_size                   # of `key`: master key, then master salt
    int cipher_key_size            # 16 or 32
    int salt_size                  # 12 or 14
    int tag_size                   # of SRTP; that of SRTCP is 16 or 10
    int rtcp_tag_size
    uint8_t key[48]
    uint8_t masked[256]            # by header-extension id: its value is encrypted

# False: no such profile, or the key does not fit
cdef bint srtp_policy_init(SrtpPolicy *policy, int profile, const uint8_t *key, int key_size,
                           bint inbound) noexcept nogil

cdef struct SrtpBackend
cdef struct SrtpContext:           # one direction of one peer
    const SrtpBackend *backend
    void *session
    uint64_t rtp_left              # packets the key may still protect (RFC 3711 section 9.2)
    uint64_t rtcp_left
    int tag_size
    int rtcp_tag_size
    bint gcm
    bint cryptex
    int mki_size                   # bytes of the master key identifier behind each packet, 0: none
    uint8_t mki[120]

cdef struct SrtpFanoutItem:
    SrtpContext *context
    uint8_t *out                   # the RTP header is there already; room for payload and SRTP_MAX_TRAILER behind it
    int header_size                # bytes: fixed header, CSRCs, extension block
    const uint8_t *payload         # in clear: behind the header, or elsewhere altogether
    int payload_size
    int size                       # out: the packet's new size, or a Drop code

cdef struct SrtpBackend:
    const char *name
    bint cryptex                   # can do RFC 9335
    void *(*create)(const SrtpPolicy *policy) noexcept nogil       # NULL: no memory, or an option it cannot do
    void (*free)(void *session) noexcept nogil
    # `out` is `packet`, or elsewhere altogether. The new size, or a Drop code
    int (*protect)(void *session, uint8_t *out, const uint8_t *packet, int size) noexcept nogil
    int (*protect_rtcp)(void *session, uint8_t *out, const uint8_t *packet, int size) noexcept nogil
    # in place; after a refusal the bytes are worth nothing
    int (*unprotect)(void *session, uint8_t *packet, int size) noexcept nogil
    int (*unprotect_rtcp)(void *session, uint8_t *packet, int size) noexcept nogil
    void (*remove)(void *session, uint32_t ssrc) noexcept nogil
    bint (*set_roc)(void *session, uint32_t ssrc, uint32_t roc) noexcept nogil
    int64_t (*roc)(void *session, uint32_t ssrc) noexcept nogil    # -1: unknown SSRC
    int (*count)(const void *session) noexcept nogil               # SSRCs remembered
    void (*protect_many)(SrtpFanoutItem *items, int count) noexcept nogil
