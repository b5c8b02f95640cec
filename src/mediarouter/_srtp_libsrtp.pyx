"""SRTP by libsrtp, called through C pointers so that no packet needs Python.

libsrtp comes inside pylibsrtp's wheel. The addresses of its functions and the layout of its policy structure are asked
of that module once, at import; those that its Python does not know are exported by the same file. libsrtp clones a
stream's context only after a packet of a new SSRC has passed authentication, so strangers grow nothing; peers with keys
are held to SRTP_STREAMS_MAX by a table of ours, since libsrtp knows no limit.

An SRTCP packet may come in clear, with a tag alone (E bit 0, RFC 3711 section 3.4). libsrtp takes such a one under GCM;
in counter mode a session takes either these or the encrypted ones, so a second session takes the former. The window of
both is ours.

The rollover counter of an SSRC's first packet is taken for 0. Where the packets just before a wrap were lost, that is
one too few and nothing would ever authenticate; so the first packet is tried with 1 as well.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from mediarouter._drop cimport (
    DROP_SRTP_AUTH,
    DROP_SRTP_FAILED,
    DROP_SRTP_KEY_EXPIRED,
    DROP_SRTP_OLD,
    DROP_SRTP_REPLAY,
)
from mediarouter._lookup cimport SsrcTable
from mediarouter._rtp cimport read_u16, read_u32, write_u16
from mediarouter._srtp_headers cimport header_mask_size, header_size
from mediarouter._srtp_libsrtp_mask cimport mask_cipher_free, mask_cipher_new, mask_values
from mediarouter._srtp_policy cimport (
    RTCP_HEADER_SIZE,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_32,
    SRTP_AES128_CM_SHA1_80,
    SRTP_AES256_CM_SHA1_32,
    SRTP_AES256_CM_SHA1_80,
    SRTP_ROC_RETRIES,
    SRTP_STREAMS_MAX,
    SRTP_WINDOW,
    SrtpBackend,
    SrtpFanoutItem,
    SrtpPolicy,
    srtp_policy_init,
)
from mediarouter._srtp_streams cimport (
    SrtpStream,
    replay_add,
    replay_check,
    srtp_stream_accept,
    srtp_stream_add,
    srtp_stream_find,
    srtp_stream_index,
    srtp_stream_remove,
    srtp_streams_release,
)

import ctypes

from pylibsrtp import _binding

_ffi, _lib = _binding.ffi, _binding.lib

ctypedef int (*process_t)(void *session, void *packet, int *size) noexcept nogil
ctypedef int (*create_t)(void **session, const void *policy) noexcept nogil
ctypedef int (*add_t)(void *session, const void *policy) noexcept nogil
ctypedef int (*dealloc_t)(void *session) noexcept nogil
ctypedef int (*remove_t)(void *session, uint32_t ssrc) noexcept nogil
ctypedef int (*set_roc_t)(void *session, uint32_t ssrc, uint32_t roc) noexcept nogil
ctypedef int (*get_roc_t)(void *session, uint32_t ssrc, uint32_t *roc) noexcept nogil

cdef extern from "<string.h>" nogil:
    void explicit_bzero(void *memory, size_t size)

cdef enum:
    PROFILES = 6
    POLICY_SIZE = 128              # of srtp_policy_t, libsrtp 2.x on 64 bits
    RETRY_SIZE = 2048              # a larger packet is not tried a second time
    AES_ICM_256 = 5                # libsrtp's number of the cipher of RFC 6188
    AES_256_ICM_KEY_SIZE = 46      # key and salt
    AUTHENTICATED = 2              # srtp_sec_serv_t: a tag and no encryption
    RTCP_ENCRYPTED = 0x80000000
    RTCP_INDEX_MAX = 0x7FFFFFFF
    STATUS_AUTH = 7                # srtp_err_status_t
    STATUS_CIPHER = 8
    STATUS_REPLAY = 9
    STATUS_REPLAY_OLD = 10
    STATUS_KEY_EXPIRED = 15
    STATUS_INDEX_OLD = 26

cdef struct Template:              # srtp_policy_t for one profile
    int profile
    uint8_t data[128]

cdef struct LibsrtpSession:
    void *libsrtp
    void *clear                    # takes SRTCP in clear in counter mode; NULL before the first such packet
    SrtpPolicy policy
    # SrtpStreams, of which the SRTCP window is used in counter mode, the RTP index where headers are masked
    SsrcTable known
    int retries
    uint64_t recent                # SSRC of the last packet that was good, and a bit above it; 0: none
    void *mask                     # cipher of the header extensions' values, or NULL

cdef Template[6] templates
cdef size_t ssrc_offset, ssrc_type_offset, key_offset, rtcp_service_offset
cdef int any_inbound, any_outbound, specific
cdef process_t lib_protect, lib_unprotect, lib_protect_rtcp, lib_unprotect_rtcp
cdef create_t lib_create
cdef add_t lib_add
cdef dealloc_t lib_dealloc
cdef remove_t lib_remove
cdef set_roc_t lib_set_roc
cdef get_roc_t lib_get_roc
cdef SrtpBackend table


cdef size_t address_of(object library, str name) except 0:
    return <size_t>ctypes.cast(getattr(library, name), ctypes.c_void_p).value


cdef int make_template(int index, int profile, int base, bint aes_256) except -1:
    # `base`: libsrtp's own profile, whose tags and lengths are taken
    cdef bytes image
    cdef uint8_t *data = templates[index].data
    policy = _ffi.new("srtp_policy_t *")
    _lib.srtp_crypto_policy_set_from_profile_for_rtp(_ffi.addressof(policy.rtp), base)
    _lib.srtp_crypto_policy_set_from_profile_for_rtcp(_ffi.addressof(policy.rtcp), base)
    policy.window_size = SRTP_WINDOW
    policy.allow_repeat_tx = 1
    image = bytes(_ffi.buffer(policy))
    memcpy(data, <const char *>image, POLICY_SIZE)
    templates[index].profile = profile
    if aes_256:
        # the first two words of srtp_crypto_policy_t: cipher, and length of its key with salt
        for offset in (_ffi.offsetof("srtp_policy_t", "rtp"), _ffi.offsetof("srtp_policy_t", "rtcp")):
            (<int32_t *>(data + <size_t>offset))[0] = AES_ICM_256
            (<int32_t *>(data + <size_t>offset))[1] = AES_256_ICM_KEY_SIZE
    return 0


cdef int load() except -1:
    global ssrc_offset, ssrc_type_offset, key_offset, rtcp_service_offset, any_inbound, any_outbound, specific
    global lib_protect, lib_unprotect, lib_protect_rtcp, lib_unprotect_rtcp, lib_create, lib_add, lib_dealloc
    global lib_remove, lib_set_roc, lib_get_roc, version
    library = ctypes.CDLL(_binding.__file__)
    library.srtp_get_version_string.restype = ctypes.c_char_p
    version = library.srtp_get_version_string().decode()
    if _ffi.sizeof("srtp_policy_t") != POLICY_SIZE or not version.startswith("libsrtp2 2."):
        raise ImportError(f"this pylibsrtp has a libsrtp of unknown layout: {version}")
    lib_protect = <process_t>address_of(library, "srtp_protect")
    lib_unprotect = <process_t>address_of(library, "srtp_unprotect")
    lib_protect_rtcp = <process_t>address_of(library, "srtp_protect_rtcp")
    lib_unprotect_rtcp = <process_t>address_of(library, "srtp_unprotect_rtcp")
    lib_create = <create_t>address_of(library, "srtp_create")
    lib_add = <add_t>address_of(library, "srtp_add_stream")
    lib_dealloc = <dealloc_t>address_of(library, "srtp_dealloc")
    lib_remove = <remove_t>address_of(library, "srtp_remove_stream")
    lib_set_roc = <set_roc_t>address_of(library, "srtp_set_stream_roc")
    lib_get_roc = <get_roc_t>address_of(library, "srtp_get_stream_roc")
    ssrc_offset = _ffi.offsetof("srtp_policy_t", "ssrc") + _ffi.offsetof("srtp_ssrc_t", "value")
    ssrc_type_offset = _ffi.offsetof("srtp_policy_t", "ssrc") + _ffi.offsetof("srtp_ssrc_t", "type")
    key_offset = _ffi.offsetof("srtp_policy_t", "key")
    # the last word of srtp_crypto_policy_t
    rtcp_service_offset = _ffi.offsetof("srtp_policy_t", "rtcp") + _ffi.sizeof("srtp_crypto_policy_t") - 4
    any_inbound = int(_lib.ssrc_any_inbound)
    any_outbound = int(_lib.ssrc_any_outbound)
    specific = int(_lib.ssrc_specific)
    make_template(0, 0x0007, _lib.srtp_profile_aead_aes_128_gcm, False)
    make_template(1, SRTP_AEAD_AES_256_GCM, _lib.srtp_profile_aead_aes_256_gcm, False)
    make_template(2, SRTP_AES128_CM_SHA1_80, _lib.srtp_profile_aes128_cm_sha1_80, False)
    make_template(3, SRTP_AES128_CM_SHA1_32, _lib.srtp_profile_aes128_cm_sha1_32, False)
    make_template(4, SRTP_AES256_CM_SHA1_80, _lib.srtp_profile_aes128_cm_sha1_80, True)
    make_template(5, SRTP_AES256_CM_SHA1_32, _lib.srtp_profile_aes128_cm_sha1_32, True)
    return 0


cdef void fill(uint8_t *policy, LibsrtpSession *session, int kind, uint32_t ssrc) noexcept nogil:
    cdef int i
    for i in range(PROFILES):
        if templates[i].profile == session.policy.profile:
            memcpy(policy, templates[i].data, POLICY_SIZE)
    (<int32_t *>(policy + ssrc_type_offset))[0] = kind
    (<uint32_t *>(policy + ssrc_offset))[0] = ssrc
    (<const uint8_t **>(policy + key_offset))[0] = session.policy.key


cdef void *create(const SrtpPolicy *policy) noexcept nogil:
    cdef LibsrtpSession *session
    cdef uint8_t data[POLICY_SIZE]
    if policy.cryptex:
        return NULL
    session = <LibsrtpSession *>calloc(1, sizeof(LibsrtpSession))
    if session == NULL:
        return NULL
    session.policy = policy[0]
    session.retries = SRTP_ROC_RETRIES
    fill(data, session, any_inbound if policy.inbound else any_outbound, 0)
    if lib_create(&session.libsrtp, data) != 0:
        free(session)
        return NULL
    if policy.masks_headers:
        session.mask = mask_cipher_new(policy)
        if session.mask == NULL:
            release(session)
            return NULL
    return session


cdef void release(void *handle) noexcept nogil:
    cdef LibsrtpSession *session = <LibsrtpSession *>handle
    lib_dealloc(session.libsrtp)
    if session.clear != NULL:
        lib_dealloc(session.clear)
    if session.mask != NULL:
        mask_cipher_free(session.mask)
    srtp_streams_release(&session.known)
    explicit_bzero(session, sizeof(LibsrtpSession))
    free(session)


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


cdef uint32_t on_wire(uint32_t ssrc) noexcept nogil:
    # libsrtp takes the SSRC as it stands in the packet
    return read_u32(<const uint8_t *>&ssrc)


cdef int retry(LibsrtpSession *session, uint8_t *packet, const uint8_t *kept, int *size) noexcept nogil:
    # a stream of its own for the SSRC, since only a stream can be told its counter; what libsrtp says this time
    cdef uint32_t ssrc = read_u32(kept + 8)
    cdef uint8_t data[POLICY_SIZE]
    cdef int status
    if session.retries <= 0:
        return STATUS_AUTH
    session.retries -= 1
    fill(data, session, specific, ssrc)
    memcpy(packet, kept, size[0])
    if lib_add(session.libsrtp, data) != 0:
        return STATUS_AUTH
    status = lib_set_roc(session.libsrtp, ssrc, 1)
    if status == 0:
        status = lib_unprotect(session.libsrtp, packet, size)
    if status == 0:
        session.retries = SRTP_ROC_RETRIES
    else:
        lib_remove(session.libsrtp, on_wire(ssrc))
    return status


cdef int process(LibsrtpSession *session, void *by, process_t function, uint8_t *packet, int size,
                 int at) noexcept nogil:
    # `by`: the libsrtp session that does it; `at`: where the SSRC stands
    cdef uint32_t ssrc = read_u32(packet + at)
    cdef bint new = session.recent != (ssrc | <uint64_t>1 << 32) and srtp_stream_find(&session.known, ssrc) == NULL
    cdef bint second_chance = False
    cdef uint8_t kept[RETRY_SIZE]
    cdef int status, received = size
    if new:
        if session.known.count >= SRTP_STREAMS_MAX:
            return DROP_SRTP_FAILED
        if function == lib_unprotect and size <= RETRY_SIZE and read_u16(packet + 2) < 0x8000:
            second_chance = True
            memcpy(kept, packet, size)
    status = function(by, packet, &size)
    if status != 0 and second_chance and drop_of(status) == DROP_SRTP_AUTH:
        size = received
        status = retry(session, packet, kept, &size)
    if status != 0:
        return drop_of(status)
    if new and srtp_stream_add(&session.known, ssrc) == NULL:
        lib_remove(by, on_wire(ssrc))
        return DROP_SRTP_FAILED
    session.recent = ssrc | <uint64_t>1 << 32
    return size


cdef int mask_size(const uint8_t *packet, int size) noexcept nogil:
    size = header_size(packet, size)
    return size if size < 0 else header_mask_size(packet, size)


cdef int protect_masked(LibsrtpSession *session, uint8_t *packet, int size) noexcept nogil:
    cdef uint64_t index = 0
    cdef uint32_t ssrc = read_u32(packet + 8)
    cdef int masked = mask_size(packet, size)
    if masked < 0:
        return DROP_SRTP_FAILED
    if not srtp_stream_index(srtp_stream_find(&session.known, ssrc), read_u16(packet + 2), &index):
        return DROP_SRTP_OLD
    if not mask_values(session.mask, &session.policy, packet, masked, index):
        return DROP_SRTP_FAILED
    size = process(session, session.libsrtp, lib_protect, packet, size, 8)
    if size >= 0:
        srtp_stream_accept(srtp_stream_find(&session.known, ssrc), index)
    return size


cdef int unprotect_masked(LibsrtpSession *session, uint8_t *packet, int size) noexcept nogil:
    cdef uint64_t index = 0
    cdef uint32_t roc = 0, ssrc = read_u32(packet + 8)
    cdef SrtpStream *stream = srtp_stream_find(&session.known, ssrc)
    cdef bint new = stream == NULL
    cdef int masked = mask_size(packet, size)
    if masked < 0:
        return DROP_SRTP_FAILED
    if not srtp_stream_index(stream, read_u16(packet + 2), &index):
        return DROP_SRTP_OLD
    size = process(session, session.libsrtp, lib_unprotect, packet, size, 8)
    if size < 0:
        return size
    if new and lib_get_roc(session.libsrtp, ssrc, &roc) == 0:      # it may have been found at 1
        index |= <uint64_t>roc << 16
    srtp_stream_accept(srtp_stream_find(&session.known, ssrc), index)
    return size if mask_values(session.mask, &session.policy, packet, masked, index) else DROP_SRTP_FAILED


cdef int seal(LibsrtpSession *session, uint8_t *packet, int size) noexcept nogil:
    if session.mask != NULL:
        return protect_masked(session, packet, size)
    return process(session, session.libsrtp, lib_protect, packet, size, 8)


cdef int protect(void *session, uint8_t *out, const uint8_t *packet, int size) noexcept nogil:
    if out != packet:
        memcpy(out, packet, size)
    return seal(<LibsrtpSession *>session, out, size)


cdef int protect_rtcp(void *session, uint8_t *out, const uint8_t *packet, int size) noexcept nogil:
    if out != packet:
        memcpy(out, packet, size)
    return process(<LibsrtpSession *>session, (<LibsrtpSession *>session).libsrtp, lib_protect_rtcp, out, size, 4)


cdef int unprotect(void *handle, uint8_t *packet, int size) noexcept nogil:
    cdef LibsrtpSession *session = <LibsrtpSession *>handle
    if session.mask != NULL:
        return unprotect_masked(session, packet, size)
    return process(session, session.libsrtp, lib_unprotect, packet, size, 8)


cdef void *clear_session(LibsrtpSession *session) noexcept nogil:
    cdef uint8_t data[POLICY_SIZE]
    if session.clear == NULL:
        fill(data, session, any_inbound, 0)
        (<int32_t *>(data + rtcp_service_offset))[0] = AUTHENTICATED
        if lib_create(&session.clear, data) != 0:
            session.clear = NULL
    return session.clear


cdef int unprotect_rtcp(void *handle, uint8_t *packet, int size) noexcept nogil:
    cdef LibsrtpSession *session = <LibsrtpSession *>handle
    cdef const SrtpStream *stream
    cdef void *by = session.libsrtp
    cdef uint32_t trailer, ssrc = read_u32(packet + 4)
    cdef int drop
    if session.policy.gcm:
        return process(session, by, lib_unprotect_rtcp, packet, size, 4)
    if size < RTCP_HEADER_SIZE + 4 + session.policy.rtcp_tag_size:
        return DROP_SRTP_FAILED
    trailer = read_u32(packet + size - 4 - session.policy.rtcp_tag_size)
    stream = srtp_stream_find(&session.known, ssrc)
    if stream != NULL:
        drop = replay_check(&stream.rtcp, trailer & RTCP_INDEX_MAX)
        if drop != 0:
            return drop
    if not trailer & RTCP_ENCRYPTED:
        by = clear_session(session)
        if by == NULL:
            return DROP_SRTP_FAILED
    size = process(session, by, lib_unprotect_rtcp, packet, size, 4)
    if size >= 0:
        replay_add(&srtp_stream_find(&session.known, ssrc).rtcp, trailer & RTCP_INDEX_MAX)
    return size


cdef void remove(void *handle, uint32_t ssrc) noexcept nogil:
    cdef LibsrtpSession *session = <LibsrtpSession *>handle
    srtp_stream_remove(&session.known, ssrc)
    session.recent = 0
    lib_remove(session.libsrtp, on_wire(ssrc))
    if session.clear != NULL:
        lib_remove(session.clear, on_wire(ssrc))


cdef bint set_roc(void *handle, uint32_t ssrc, uint32_t roc) noexcept nogil:
    cdef LibsrtpSession *session = <LibsrtpSession *>handle
    cdef uint8_t data[POLICY_SIZE]
    if srtp_stream_find(&session.known, ssrc) == NULL:
        fill(data, session, specific, ssrc)
        if session.known.count >= SRTP_STREAMS_MAX or lib_add(session.libsrtp, data) != 0:
            return False
        if srtp_stream_add(&session.known, ssrc) == NULL:
            lib_remove(session.libsrtp, on_wire(ssrc))
            return False
    srtp_stream_find(&session.known, ssrc).pending_roc = roc
    return lib_set_roc(session.libsrtp, ssrc, roc) == 0


cdef int64_t get_roc(void *handle, uint32_t ssrc) noexcept nogil:
    cdef uint32_t roc = 0
    if lib_get_roc((<LibsrtpSession *>handle).libsrtp, ssrc, &roc) != 0:
        return -1
    return roc


cdef int count(const void *session) noexcept nogil:
    return <int>(<const LibsrtpSession *>session).known.count


cdef void protect_many(SrtpFanoutItem *items, int n) noexcept nogil:
    # libsrtp works in place: each destination gets its copy first
    cdef SrtpFanoutItem *item
    cdef int i
    for i in range(n):
        item = &items[i]
        if item.payload != item.out + item.header_size:
            memcpy(item.out + item.header_size, item.payload, item.payload_size)
        item.size = seal(<LibsrtpSession *>item.context.session, item.out, item.header_size + item.payload_size)


def measure(bytes packet, int count, int profile, bytes key, int rounds):
    """libsrtp by its pointer, in place, with nothing of ours around it: a packet protected under `count` contexts,
    `rounds` times over; how many were protected. What a benchmark compares with."""
    cdef SrtpPolicy policy
    cdef int i, n, size, made = 0, length = <int>len(packet)
    cdef const uint8_t *data = <const uint8_t *><const char *>packet
    cdef size_t room = (length + 144 + 63) & ~63
    cdef void **contexts = <void **>calloc(count, sizeof(void *))
    cdef uint8_t *out = <uint8_t *>calloc(count, room)
    srtp_policy_init(&policy, profile, <const uint8_t *><const char *>key, <int>len(key), False)
    for i in range(count):
        contexts[i] = create(&policy)
        memcpy(out + i * room, data, length)
    with nogil:
        for n in range(rounds):
            for i in range(count):
                size = length
                write_u16(out + i * room + 2, <unsigned short>(read_u16(data + 2) + n))
                made += lib_protect((<LibsrtpSession *>contexts[i]).libsrtp, out + i * room, &size) == 0
    for i in range(count):
        release(contexts[i])
    free(contexts)
    free(out)
    return made


load()
table.name = "libsrtp"
table.cryptex = False
table.create, table.free = create, release
table.protect, table.unprotect = protect, unprotect
table.protect_rtcp, table.unprotect_rtcp = protect_rtcp, unprotect_rtcp
table.remove, table.set_roc, table.roc, table.count, table.protect_many = remove, set_roc, get_roc, count, \
    protect_many


cdef const SrtpBackend *libsrtp_backend() noexcept nogil:
    return &table
