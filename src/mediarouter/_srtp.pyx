"""SRTP and SRTCP by libsrtp, called through C pointers so that the engine needs no Python for a packet.

libsrtp comes inside pylibsrtp's wheel. The addresses of its functions and the layout of its policy structure are asked
of that module once, at import; from then on a context is made, used and freed without the GIL. A stream context inside
a session is cloned by libsrtp only after a packet of a new SSRC has passed authentication, so strangers grow nothing.
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from mediarouter._drop cimport (
    DROP_SRTP_AUTH,
    DROP_SRTP_FAILED,
    DROP_SRTP_KEY_EXPIRED,
    DROP_SRTP_OLD,
    DROP_SRTP_REPLAY,
    DROP_SRTP_SHORT,
    DROP_TOO_LARGE,
)
from mediarouter._rtp cimport read_u32

from pylibsrtp._binding import ffi as _ffi
from pylibsrtp._binding import lib as _lib

from mediarouter import _drop
from mediarouter.errors import MediaRouterError

ctypedef int (*process_t)(void *session, void *packet, int *size) noexcept nogil
ctypedef int (*create_t)(void **session, const void *policy) noexcept nogil
ctypedef int (*dealloc_t)(void *session) noexcept nogil
ctypedef int (*remove_t)(void *session, uint32_t ssrc) noexcept nogil

cdef enum:
    POLICY_ROOM = 256
    PROFILES = 6
    RTP_HEADER_SIZE = 12
    RTCP_HEADER_SIZE = 8
    REPLAY_WINDOW = 128
    AES_ICM_256 = 5                # libsrtp's number of the cipher of RFC 6188
    AES_256_ICM_KEY_SIZE = 46      # key and salt
    PACKET_MAX = 65535
    STATUS_AUTH = 7                # srtp_err_status_t
    STATUS_CIPHER = 8
    STATUS_REPLAY = 9
    STATUS_REPLAY_OLD = 10
    STATUS_KEY_EXPIRED = 15
    STATUS_INDEX_OLD = 26

cdef struct Policy:                # a template of srtp_policy_t for one profile
    int profile
    int key_size
    uint8_t data[256]

cdef struct SrtpContext:
    void *session
    int profile

cdef Policy[6] policies
cdef size_t ssrc_type_offset, key_offset
cdef int any_inbound, any_outbound
cdef process_t protect, unprotect, protect_rtcp, unprotect_rtcp
cdef create_t create
cdef dealloc_t dealloc
cdef remove_t remove_stream


cdef size_t address_of(str name) except 0:
    return <size_t>int(_ffi.cast("uintptr_t", _ffi.addressof(_lib, name)))


cdef int make_policy(int index, int profile, int base, bint aes_256) except -1:
    # `base`: libsrtp's own profile, whose tags and lengths are taken
    cdef bytes image
    cdef uint8_t *data = policies[index].data
    if _ffi.sizeof("srtp_policy_t") > POLICY_ROOM:
        raise ImportError("this pylibsrtp has a policy structure of unknown size")
    policy = _ffi.new("srtp_policy_t *")
    _lib.srtp_crypto_policy_set_from_profile_for_rtp(_ffi.addressof(policy.rtp), base)
    _lib.srtp_crypto_policy_set_from_profile_for_rtcp(_ffi.addressof(policy.rtcp), base)
    policy.window_size = REPLAY_WINDOW
    policy.allow_repeat_tx = 1
    image = bytes(_ffi.buffer(policy))
    memcpy(data, <const char *>image, len(image))
    policies[index].profile = profile
    policies[index].key_size = (
        _lib.srtp_profile_get_master_key_length(base) + _lib.srtp_profile_get_master_salt_length(base))
    if aes_256:
        # the first two words of srtp_crypto_policy_t: cipher, and length of its key with salt
        for offset in (_ffi.offsetof("srtp_policy_t", "rtp"), _ffi.offsetof("srtp_policy_t", "rtcp")):
            (<int32_t *>(data + <size_t>offset))[0] = AES_ICM_256
            (<int32_t *>(data + <size_t>offset))[1] = AES_256_ICM_KEY_SIZE
        policies[index].key_size = AES_256_ICM_KEY_SIZE
    return 0


cdef int load() except -1:
    global ssrc_type_offset, key_offset, any_inbound, any_outbound
    global protect, unprotect, protect_rtcp, unprotect_rtcp, create, dealloc, remove_stream
    protect = <process_t>address_of("srtp_protect")
    unprotect = <process_t>address_of("srtp_unprotect")
    protect_rtcp = <process_t>address_of("srtp_protect_rtcp")
    unprotect_rtcp = <process_t>address_of("srtp_unprotect_rtcp")
    create = <create_t>address_of("srtp_create")
    dealloc = <dealloc_t>address_of("srtp_dealloc")
    remove_stream = <remove_t>address_of("srtp_remove_stream")
    ssrc_type_offset = _ffi.offsetof("srtp_policy_t", "ssrc") + _ffi.offsetof("srtp_ssrc_t", "type")
    key_offset = _ffi.offsetof("srtp_policy_t", "key")
    any_inbound = int(_lib.ssrc_any_inbound)
    any_outbound = int(_lib.ssrc_any_outbound)
    make_policy(0, SRTP_AEAD_AES_128_GCM, _lib.srtp_profile_aead_aes_128_gcm, False)
    make_policy(1, SRTP_AEAD_AES_256_GCM, _lib.srtp_profile_aead_aes_256_gcm, False)
    make_policy(2, SRTP_AES128_CM_SHA1_80, _lib.srtp_profile_aes128_cm_sha1_80, False)
    make_policy(3, SRTP_AES128_CM_SHA1_32, _lib.srtp_profile_aes128_cm_sha1_32, False)
    make_policy(4, SRTP_AES256_CM_SHA1_80, _lib.srtp_profile_aes128_cm_sha1_80, True)
    make_policy(5, SRTP_AES256_CM_SHA1_32, _lib.srtp_profile_aes128_cm_sha1_32, True)
    return 0


load()

backend = "libsrtp"                # what encrypts; pylibsrtp's version is in its own metadata


cdef const Policy *policy_of(int profile) noexcept nogil:
    cdef int i
    for i in range(PROFILES):
        if policies[i].profile == profile:
            return &policies[i]
    return NULL


cdef SrtpContext *srtp_context_new(SrtpProfile profile, const uint8_t *key, int key_size,
                                   bint inbound) noexcept nogil:
    cdef const Policy *template = policy_of(profile)
    cdef SrtpContext *context
    cdef uint8_t policy[POLICY_ROOM]
    if template == NULL or key_size != template.key_size:
        return NULL
    context = <SrtpContext *>calloc(1, sizeof(SrtpContext))
    if context == NULL:
        return NULL
    memcpy(policy, template.data, POLICY_ROOM)
    (<int32_t *>(policy + ssrc_type_offset))[0] = any_inbound if inbound else any_outbound
    (<const uint8_t **>(policy + key_offset))[0] = key
    context.profile = profile
    if create(&context.session, policy) != 0:
        free(context)
        return NULL
    return context


cdef void srtp_context_free(SrtpContext *context) noexcept nogil:
    if context != NULL:
        dealloc(context.session)
        free(context)


cdef int drop_of(int status) noexcept nogil:
    if status == STATUS_AUTH or status == STATUS_CIPHER:
        return DROP_SRTP_AUTH
    if status == STATUS_REPLAY:
        return DROP_SRTP_REPLAY
    if status == STATUS_REPLAY_OLD or status == STATUS_INDEX_OLD:
        return DROP_SRTP_OLD
    if status == STATUS_KEY_EXPIRED:
        return DROP_SRTP_KEY_EXPIRED
    return DROP_SRTP_FAILED


cdef int srtp_context_protect(SrtpContext *context, uint8_t *packet, int size) noexcept nogil:
    if size < RTP_HEADER_SIZE:
        return DROP_SRTP_SHORT
    cdef int status = protect(context.session, packet, &size)
    return size if status == 0 else drop_of(status)


cdef int srtp_context_unprotect(SrtpContext *context, uint8_t *packet, int size) noexcept nogil:
    if size < RTP_HEADER_SIZE:
        return DROP_SRTP_SHORT
    cdef int status = unprotect(context.session, packet, &size)
    return size if status == 0 else drop_of(status)


cdef int srtp_context_protect_rtcp(SrtpContext *context, uint8_t *packet, int size) noexcept nogil:
    if size < RTCP_HEADER_SIZE:
        return DROP_SRTP_SHORT
    cdef int status = protect_rtcp(context.session, packet, &size)
    return size if status == 0 else drop_of(status)


cdef int srtp_context_unprotect_rtcp(SrtpContext *context, uint8_t *packet, int size) noexcept nogil:
    if size < RTCP_HEADER_SIZE:
        return DROP_SRTP_SHORT
    cdef int status = unprotect_rtcp(context.session, packet, &size)
    return size if status == 0 else drop_of(status)


cdef void srtp_context_remove_ssrc(SrtpContext *context, uint32_t ssrc) noexcept nogil:
    # libsrtp takes the SSRC as it stands in the packet
    cdef uint8_t *bytes_of = <uint8_t *>&ssrc
    remove_stream(context.session, read_u32(bytes_of))


# ---- the Python face

class SrtpError(MediaRouterError):
    """A packet was refused.

    Attributes:
        reason: the name of the drop counter, such as "srtp_auth" or "srtp_replay".
    """

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


KEY_SIZES = {policies[i].profile: policies[i].key_size for i in range(PROFILES)}


@cython.final
cdef class SrtpSession:
    """Keys of one peer, both directions (RFC 3711).

    Args:
        profile: one of `Profile`.
        local_key: our master key, then master salt, for what is sent.
        remote_key: the peer's, for what is received.

    Raises:
        ValueError: a key's length does not fit the profile, or there is no such profile.
    """
    cdef SrtpContext *outbound
    cdef SrtpContext *inbound
    cdef uint8_t buffer[65536 + 256]

    def __cinit__(self, profile, local_key, remote_key):
        cdef bytes local = bytes(local_key)
        cdef bytes remote = bytes(remote_key)
        wanted = KEY_SIZES.get(int(profile))
        if wanted is None:
            raise ValueError(f"no SRTP profile {profile!r}")
        if len(local) != wanted or len(remote) != wanted:
            raise ValueError(f"keys of {len(local)} and {len(remote)} bytes where the profile has {wanted}")
        self.outbound = srtp_context_new(<SrtpProfile><int>profile, <const uint8_t *><const char *>local, wanted, False)
        self.inbound = srtp_context_new(<SrtpProfile><int>profile, <const uint8_t *><const char *>remote, wanted, True)
        if self.outbound == NULL or self.inbound == NULL:
            raise MemoryError("libsrtp refused to make a session")

    def __dealloc__(self):
        srtp_context_free(self.outbound)
        srtp_context_free(self.inbound)

    cdef bytes run(self, int which, packet):
        cdef bytes data = packet if type(packet) is bytes else bytes(packet)
        cdef int size = <int>len(data)
        if len(data) > PACKET_MAX:
            raise SrtpError(_drop.NAMES[-<int>DROP_TOO_LARGE])
        memcpy(self.buffer, <const char *>data, size)
        if which == 0:
            size = srtp_context_protect(self.outbound, self.buffer, size)
        elif which == 1:
            size = srtp_context_unprotect(self.inbound, self.buffer, size)
        elif which == 2:
            size = srtp_context_protect_rtcp(self.outbound, self.buffer, size)
        else:
            size = srtp_context_unprotect_rtcp(self.inbound, self.buffer, size)
        if size < 0:
            raise SrtpError(_drop.NAMES[-size])
        return (<char *>self.buffer)[:size]

    def protect(self, packet):
        """An RTP packet, encrypted.

        Raises:
            SrtpError: it is no RTP packet, or the key's life is over.
        """
        return self.run(0, packet)

    def unprotect(self, packet):
        """An SRTP packet, decrypted.

        Raises:
            SrtpError: its tag is wrong, or it was here before.
        """
        return self.run(1, packet)

    def protect_rtcp(self, packet):
        """An RTCP datagram, encrypted.

        Raises:
            SrtpError: it is too short, or the key's life is over.
        """
        return self.run(2, packet)

    def unprotect_rtcp(self, packet):
        """An SRTCP datagram, decrypted.

        Raises:
            SrtpError: its tag is wrong, or it was here before.
        """
        return self.run(3, packet)

    def remove_ssrc(self, uint32_t ssrc):
        """Forget an SSRC in both directions; an unknown one is no error."""
        srtp_context_remove_ssrc(self.outbound, ssrc)
        srtp_context_remove_ssrc(self.inbound, ssrc)
