"""SRTP and SRTCP: what is the same whatever encrypts, and the Python face.

A context is one direction of one peer: a backend's session, the life that is left of the key, and the master key
identifier that stands behind each packet. The identifier is not authenticated, so it is put in and taken out here, and
the backends never see it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memmove
from mediarouter._drop cimport DROP_SRTP_KEY_EXPIRED, DROP_SRTP_NO_KEYS, DROP_SRTP_SHORT, DROP_TOO_LARGE
from mediarouter._srtp_backend cimport srtp_backend, srtp_backend_named
from mediarouter._srtp_policy cimport (
    RTCP_HEADER_SIZE,
    RTP_HEADER_SIZE,
    SRTP_MKI_MAX,
    SrtpBackend,
    SrtpContext,
    SrtpFanoutItem,
    SrtpPolicy,
    SrtpProfile,
    srtp_policy_init,
)

from mediarouter import _drop
from mediarouter._srtp_policy import key_size as size_of_key
from mediarouter.errors import MediaRouterError

__all__ = ["RTCP_LIFETIME", "RTP_LIFETIME", "SrtpError", "SrtpSession"]

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define SRTP_KEEPS 0           /* two threads might see one result */
    #else
    #define SRTP_KEEPS 1
    #endif
    /* `kept` has room for `size` bytes, and nobody else holds it */
    static void srtp_resize(PyObject *kept, Py_ssize_t size) {
    #pragma GCC diagnostic push
    #pragma GCC diagnostic ignored "-Wdeprecated-declarations"
        ((PyBytesObject *)kept)->ob_shash = -1;
    #pragma GCC diagnostic pop
        PyBytes_AS_STRING(kept)[size] = 0;
        Py_SET_SIZE((PyVarObject *)kept, size);
    }
    """
    bint SRTP_KEEPS
    void srtp_resize(void *kept, Py_ssize_t size) noexcept
    Py_ssize_t Py_REFCNT(void *thing) noexcept

cdef enum:
    PACKET_MAX = 65535
    EMPTY_BLOCK = 4                # bytes of an extension block that cryptex adds where there was none
    KEPT_MAX = 4096                # bytes of a result that is kept

RTP_LIFETIME = 1 << 48             # packets under one master key (RFC 3711 section 9.2)
RTCP_LIFETIME = 1 << 31


cdef SrtpContext *srtp_context_with(const SrtpBackend *which, const SrtpPolicy *policy) noexcept nogil:
    cdef SrtpContext *context = <SrtpContext *>calloc(1, sizeof(SrtpContext))
    if context == NULL:
        return NULL
    context.session = which.create(policy)
    if context.session == NULL:
        free(context)
        return NULL
    context.backend = which
    context.rtp_left = <uint64_t>1 << 48
    context.rtcp_left = <uint64_t>1 << 31
    context.gcm = policy.gcm
    context.cryptex = policy.cryptex
    context.tag_size = policy.tag_size
    context.rtcp_tag_size = policy.rtcp_tag_size
    return context


cdef SrtpContext *srtp_context_new(SrtpProfile profile, const uint8_t *key, int size, bint inbound) noexcept nogil:
    cdef SrtpPolicy policy
    if not srtp_policy_init(&policy, profile, key, size, inbound):
        return NULL
    return srtp_context_with(srtp_backend(), &policy)


cdef void srtp_context_free(SrtpContext *context) noexcept nogil:
    if context != NULL:
        context.backend.free(context.session)
        free(context)


cdef inline int add_mki(const SrtpContext *context, uint8_t *packet, int size, int behind) noexcept nogil:
    # `behind`: bytes of tag that follow the identifier; none with GCM, whose tag is part of the ciphertext
    if context.gcm:
        behind = 0
    memmove(packet + size - behind + context.mki_size, packet + size - behind, behind)
    memcpy(packet + size - behind, context.mki, context.mki_size)
    return size + context.mki_size


cdef inline int take_mki(const SrtpContext *context, uint8_t *packet, int size, int behind) noexcept nogil:
    if context.gcm:
        behind = 0
    size -= context.mki_size
    if size < RTCP_HEADER_SIZE + behind:
        return DROP_SRTP_SHORT
    if memcmp(packet + size - behind, context.mki, context.mki_size) != 0:
        return DROP_SRTP_NO_KEYS
    memmove(packet + size - behind, packet + size - behind + context.mki_size, behind)
    return size


cdef int srtp_context_protect_to(SrtpContext *context, uint8_t *out, const uint8_t *packet, int size) noexcept nogil:
    if size < RTP_HEADER_SIZE:
        return DROP_SRTP_SHORT
    if context.rtp_left == 0:
        return DROP_SRTP_KEY_EXPIRED
    size = context.backend.protect(context.session, out, packet, size)
    if size < 0:
        return size
    context.rtp_left -= 1
    return add_mki(context, out, size, context.tag_size) if context.mki_size else size


cdef int srtp_context_protect_rtcp_to(SrtpContext *context, uint8_t *out, const uint8_t *packet,
                                      int size) noexcept nogil:
    if size < RTCP_HEADER_SIZE:
        return DROP_SRTP_SHORT
    if context.rtcp_left == 0:
        return DROP_SRTP_KEY_EXPIRED
    size = context.backend.protect_rtcp(context.session, out, packet, size)
    if size < 0:
        return size
    context.rtcp_left -= 1
    return add_mki(context, out, size, context.rtcp_tag_size) if context.mki_size else size


cdef int srtp_context_protect(SrtpContext *context, uint8_t *packet, int size) noexcept nogil:
    return srtp_context_protect_to(context, packet, packet, size)


cdef int srtp_context_protect_rtcp(SrtpContext *context, uint8_t *packet, int size) noexcept nogil:
    return srtp_context_protect_rtcp_to(context, packet, packet, size)


cdef int srtp_context_unprotect(SrtpContext *context, uint8_t *packet, int size) noexcept nogil:
    if context.mki_size:
        size = take_mki(context, packet, size, context.tag_size)
        if size < 0:
            return size
    if size < RTP_HEADER_SIZE:
        return DROP_SRTP_SHORT
    if context.rtp_left == 0:
        return DROP_SRTP_KEY_EXPIRED
    size = context.backend.unprotect(context.session, packet, size)
    if size >= 0:
        context.rtp_left -= 1
    return size


cdef int srtp_context_unprotect_rtcp(SrtpContext *context, uint8_t *packet, int size) noexcept nogil:
    if context.mki_size:
        size = take_mki(context, packet, size, context.rtcp_tag_size)
        if size < 0:
            return size
    if size < RTCP_HEADER_SIZE:
        return DROP_SRTP_SHORT
    if context.rtcp_left == 0:
        return DROP_SRTP_KEY_EXPIRED
    size = context.backend.unprotect_rtcp(context.session, packet, size)
    if size >= 0:
        context.rtcp_left -= 1
    return size


cdef void srtp_context_remove_ssrc(SrtpContext *context, uint32_t ssrc) noexcept nogil:
    context.backend.remove(context.session, ssrc)


cdef int srtp_context_growth(const SrtpContext *context) noexcept nogil:
    return context.tag_size + context.mki_size + (EMPTY_BLOCK if context.cryptex else 0)


cdef void srtp_fanout_protect(SrtpFanoutItem *items, int count, const uint8_t *payload, int size) noexcept nogil:
    cdef int i
    for i in range(count):
        items[i].payload, items[i].payload_size = payload, size
    srtp_protect_many(items, count)


cdef void srtp_protect_many(SrtpFanoutItem *items, int count) noexcept nogil:
    cdef const SrtpBackend *which
    cdef SrtpContext *context
    cdef int i, first = 0
    while first < count:           # a run of items of one backend, none of which has a worn-out key
        which = items[first].context.backend
        i = first
        while i < count and items[i].context.backend == which and items[i].context.rtp_left > 0:
            i += 1
        which.protect_many(items + first, i - first)
        for first in range(first, i):
            context = items[first].context
            if items[first].size >= 0:
                context.rtp_left -= 1
                if context.mki_size:
                    items[first].size = add_mki(context, items[first].out, items[first].size, context.tag_size)
        if i < count and items[i].context.rtp_left == 0:
            items[i].size = DROP_SRTP_KEY_EXPIRED
            i += 1
        first = i


# ---- the Python face

class SrtpError(MediaRouterError):
    """A packet was refused.

    Attributes:
        reason: the name of the drop counter, such as "srtp_auth" or "srtp_replay".
    """

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


cdef int set_options(SrtpContext *context, bytes mki, object lifetime) except -1:
    if len(mki) > SRTP_MKI_MAX:
        raise ValueError(f"a master key identifier of {len(mki)} bytes, more than {<int>SRTP_MKI_MAX}")
    context.mki_size = <int>len(mki)
    memcpy(context.mki, <const char *>mki, len(mki))
    if lifetime is not None:
        if not 0 <= lifetime <= RTP_LIFETIME:
            raise ValueError(f"a key does not live for {lifetime} packets")
        context.rtp_left = lifetime
        context.rtcp_left = min(lifetime, RTCP_LIFETIME)
    return 0


cdef int set_policy(SrtpPolicy *policy, object profile, object key, bint inbound) except -1:
    cdef bytes data = bytes(key)
    srtp_policy_init(policy, int(profile), <const uint8_t *><const char *>data, <int>len(data), inbound)
    return 0


@cython.final
cdef class SrtpSession:
    """Keys of one peer, both directions (RFC 3711). At most 4096 SSRCs each; remove those that are gone.

    Args:
        profile: one of `Profile`.
        local_key: our master key, then master salt, for what is sent.
        remote_key: the peer's, for what is received.
        backend: "libsrtp" or "ipsec-mb"; by default what `mediarouter.srtp.backend` says.
        local_mki: master key identifier behind each packet sent, up to 120 bytes (RFC 3711 section 3.1).
        remote_mki: the one behind each packet received; a packet with another one is refused ("srtp_no_keys").
        local_lifetime: packets we may still protect, 0 to 2^48; of RTCP 2^31 at most.
        remote_lifetime: packets we may still take.
        encrypted_extensions: ids of the header extensions whose values are encrypted, 1 to 255 (RFC 6904).
        cryptex: encrypt CSRCs and the header extensions' block whole, take packets with and without (RFC 9335);
            the backend must be ipsec-mb.

    Raises:
        ValueError: a key's length does not fit the profile, there is no such profile or backend, the backend cannot do
            an option.
    """

    def __cinit__(self, profile, local_key, remote_key, *, backend=None, local_mki=b"", remote_mki=b"",
                  local_lifetime=None, remote_lifetime=None, encrypted_extensions=(), cryptex=False):
        cdef const SrtpBackend *which = srtp_backend() if backend is None else srtp_backend_named(backend)
        cdef SrtpPolicy sending
        cdef SrtpPolicy receiving
        wanted = size_of_key(int(profile))
        if wanted is None:
            raise ValueError(f"no SRTP profile {profile!r}")
        if len(local_key) != wanted or len(remote_key) != wanted:
            raise ValueError(f"keys of {len(local_key)} and {len(remote_key)} bytes where the profile has {wanted}")
        if cryptex and not which.cryptex:
            raise ValueError("cryptex needs the backend ipsec-mb")
        if cryptex and encrypted_extensions:
            raise ValueError("with cryptex no single header extension is encrypted")
        set_policy(&sending, profile, local_key, False)
        set_policy(&receiving, profile, remote_key, True)
        for element_id in encrypted_extensions:
            if not 1 <= element_id <= 255:
                raise ValueError(f"no header extension has id {element_id}")
            sending.masked[<int>element_id] = receiving.masked[<int>element_id] = 1
            sending.masks_headers = receiving.masks_headers = True
        self.cryptex_on = sending.cryptex = receiving.cryptex = cryptex
        self.outbound = srtp_context_with(which, &sending)
        self.inbound = srtp_context_with(which, &receiving)
        if self.outbound == NULL or self.inbound == NULL:
            raise MemoryError("no memory for a session")
        set_options(self.outbound, bytes(local_mki), local_lifetime)
        set_options(self.inbound, bytes(remote_mki), remote_lifetime)

    def __dealloc__(self):
        srtp_context_free(self.outbound)
        srtp_context_free(self.inbound)

    cdef inline bytes room_for(self, Py_ssize_t size):
        # For a result. Whoever sends packets is done with one before the next is made; then its memory serves again,
        # which saves a seventh of what a packet costs here: malloc is slow above 1,032 bytes.
        if self.kept_room >> 1 <= size <= self.kept_room and Py_REFCNT(<void *>self.kept) == 1:
            srtp_resize(<void *>self.kept, size)
            return self.kept
        cdef bytes made = PyBytes_FromStringAndSize(NULL, size)
        if SRTP_KEEPS and size <= KEPT_MAX:
            self.kept = made
            self.kept_room = size
        return made

    cdef bytes run(self, int (*function)(SrtpContext *, uint8_t *, int) noexcept nogil, packet):
        cdef bytes data = packet if type(packet) is bytes else bytes(memoryview(packet))
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        if size > PACKET_MAX:
            refuse(DROP_TOO_LARGE)
        memcpy(self.buffer, PyBytes_AS_STRING(data), size)
        cdef int result = function(self.inbound, self.buffer, <int>size)
        if result < 0:
            refuse(result)
        return PyBytes_FromStringAndSize(<char *>self.buffer, result)

    def protect(self, packet, /):
        """An RTP packet, encrypted.

        Raises:
            SrtpError: it is no RTP packet, or the key's life is over ("srtp_key_expired").
        """
        cdef bytes data = packet if type(packet) is bytes else bytes(memoryview(packet))
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        if size > PACKET_MAX:
            refuse(DROP_TOO_LARGE)
        cdef Py_ssize_t room = size + self.outbound.tag_size + self.outbound.mki_size + 4 * self.cryptex_on
        cdef bytes out = self.room_for(room)
        cdef int result = srtp_context_protect_to(
            self.outbound, <uint8_t *>PyBytes_AS_STRING(out), <const uint8_t *>PyBytes_AS_STRING(data), <int>size)
        if result < 0:
            refuse(result)
        return out if result == room else out[:result]

    def unprotect(self, packet, /):
        """An SRTP packet, decrypted.

        Raises:
            SrtpError: its tag is wrong ("srtp_auth"), or it was here before ("srtp_replay", "srtp_old").
        """
        return self.run(srtp_context_unprotect, packet)

    def protect_rtcp(self, packet, /):
        """An RTCP datagram, encrypted.

        Raises:
            SrtpError: it is too short, or the key's life is over ("srtp_key_expired").
        """
        cdef bytes data = packet if type(packet) is bytes else bytes(memoryview(packet))
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        if size > PACKET_MAX:
            refuse(DROP_TOO_LARGE)
        size += 4 + self.outbound.rtcp_tag_size + self.outbound.mki_size
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
        cdef int result = srtp_context_protect_rtcp_to(
            self.outbound, <uint8_t *>PyBytes_AS_STRING(out), <const uint8_t *>PyBytes_AS_STRING(data),
            <int>PyBytes_GET_SIZE(data))
        if result < 0:
            refuse(result)
        return out

    def unprotect_rtcp(self, packet, /):
        """An SRTCP datagram, decrypted; one that its sender left in clear is taken too, by its tag (RFC 3711 section
        3.4, RFC 7714 section 9.3).

        Raises:
            SrtpError: its tag is wrong, or it was here before.
        """
        return self.run(srtp_context_unprotect_rtcp, packet)

    def remove_ssrc(self, uint32_t ssrc):
        """Forget an SSRC in both directions; an unknown one is no error."""
        srtp_context_remove_ssrc(self.outbound, ssrc)
        srtp_context_remove_ssrc(self.inbound, ssrc)

    def set_rollover_counter(self, uint32_t ssrc, uint32_t counter, *, remote=True):
        """Tell the rollover counter of an SSRC's next packet: for who joins late (RFC 3711 section 3.3.1).

        Args:
            ssrc: whose.
            counter: how often its sequence numbers have wrapped, 1 to 2^32 - 1.
            remote: of a stream we receive, else of one we send.

        Raises:
            ValueError: the counter is 0, or as many SSRCs as may be are known already.
        """
        cdef SrtpContext *context = self.inbound if remote else self.outbound
        if counter == 0 or not context.backend.set_roc(context.session, ssrc, counter):
            raise ValueError("a rollover counter of 0 is the default, and 4096 SSRCs are the limit")

    def rollover_counter(self, uint32_t ssrc, *, remote=True):
        """How often the SSRC's sequence numbers have wrapped; None when it is not known here."""
        cdef SrtpContext *context = self.inbound if remote else self.outbound
        cdef int64_t counter = context.backend.roc(context.session, ssrc)
        return None if counter < 0 else counter

    @property
    def backend(self):
        """What encrypts: "libsrtp" or "ipsec-mb"."""
        return self.outbound.backend.name.decode()

    @property
    def packets_left(self):
        """(RTP, RTCP) packets that may still be protected under our key; with none left new keys must be agreed."""
        return self.outbound.rtp_left, self.outbound.rtcp_left

    @property
    def ssrc_count(self):
        """(sent, received) SSRCs that are remembered."""
        return (self.outbound.backend.count(self.outbound.session), self.inbound.backend.count(self.inbound.session))

    @property
    def cryptex(self):
        """Whether CSRCs and header extensions are encrypted whole."""
        return self.cryptex_on


cdef int refuse(int drop) except -1:
    raise SrtpError(_drop.NAMES[-drop])
