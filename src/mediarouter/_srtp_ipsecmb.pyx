"""SRTP and SRTCP around the ciphers of libIPSec_MB (RFC 3711, RFC 6188, RFC 7714, RFC 6904, RFC 9335).

A packet's payload is read where it lies and written where it goes, so a fan-out copies nothing but headers; counter
mode and HMAC of up to BURST destinations are computed side by side. State grows only after authentication, tags are
compared in constant time, and what libsrtp decides is decided here: index, replay, order of checks.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset
from mediarouter._drop cimport (
    DROP_SRTP_AUTH,
    DROP_SRTP_FAILED,
    DROP_SRTP_KEY_EXPIRED,
    DROP_SRTP_OLD,
    DROP_SRTP_REPLAY,
)
from mediarouter._lookup cimport SsrcTable
from mediarouter._rtp cimport read_u16, read_u32, write_u16, write_u32
from mediarouter._srtp_crypto cimport (
    BURST,
    ImbJob,
    KeySet,
    counter_job,
    crypto_counter,
    crypto_derive,
    crypto_derive_header,
    crypto_gcm,
    crypto_hmac,
    crypto_install,
    crypto_mask,
    crypto_present,
    hmac_job,
)
from mediarouter._srtp_headers cimport (
    cryptex_join,
    cryptex_mark,
    cryptex_marked,
    cryptex_part,
    cryptex_unmark,
    cryptex_wanted,
    header_mask_size,
    header_size,
)
from mediarouter._srtp_policy cimport (
    RTCP_HEADER_SIZE,
    SRTP_ROC_RETRIES,
    SRTP_STREAMS_MAX,
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

cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)

cdef extern from "<string.h>" nogil:
    void explicit_bzero(void *memory, size_t size)

cdef enum:
    GCM_CONTEXT = 128              # gcm_context_data
    RTCP_ENCRYPTED = 0x80000000
    RTCP_INDEX_MAX = 0x7FFFFFFF

cdef struct Session:
    KeySet rtp                     # 64-byte alignment is asked for by GCM
    KeySet rtcp
    KeySet header
    SrtpPolicy policy
    SsrcTable streams
    int retries

cdef struct Pending:               # a packet whose index is known and whose header is written
    Session *session
    uint8_t *out
    const uint8_t *payload         # at out + header_size, or elsewhere altogether
    int header_size                # what is not encrypted
    int size                       # of the payload
    uint64_t index

cdef SrtpBackend table


cdef void *create(const SrtpPolicy *policy) noexcept nogil:
    cdef void *room = NULL
    cdef Session *session
    if posix_memalign(&room, 64, sizeof(Session)) != 0:
        return NULL
    memset(room, 0, sizeof(Session))
    session = <Session *>room
    session.policy = policy[0]
    session.retries = SRTP_ROC_RETRIES
    if not (crypto_derive(&session.rtp, policy, 0) and crypto_derive(&session.rtcp, policy, 3)
            and (not policy.masks_headers or crypto_derive_header(&session.header, policy))):
        release(session)
        return NULL
    return session


cdef void release(void *handle) noexcept nogil:
    srtp_streams_release(&(<Session *>handle).streams)
    explicit_bzero(handle, sizeof(Session))
    free(handle)


cdef void make_iv(uint8_t *iv, const Session *session, const KeySet *keys, uint32_t ssrc,
                  uint64_t index) noexcept nogil:
    # RFC 7714 sections 8.1 and 9.1; RFC 3711 section 4.1.1
    cdef int at = 2 if session.policy.gcm else 4
    memcpy(iv, keys.salt, 14)
    iv[14] = iv[15] = 0
    write_u32(iv + at, read_u32(iv + at) ^ ssrc)
    write_u16(iv + at + 4, read_u16(iv + at + 4) ^ <uint16_t>(index >> 32))
    write_u32(iv + at + 6, read_u32(iv + at + 6) ^ <uint32_t>index)


cdef bint same(const uint8_t *a, const uint8_t *b, int size) noexcept nogil:
    cdef uint8_t difference = 0
    cdef int i
    for i in range(size):
        difference |= a[i] ^ b[i]
    return difference == 0


# ---- sending

cdef SrtpStream *stream_of(Session *session, uint32_t ssrc) noexcept nogil:
    cdef SrtpStream *stream = srtp_stream_find(&session.streams, ssrc)
    return srtp_stream_add(&session.streams, ssrc) if stream == NULL else stream


cdef int begin(Pending *packet, SrtpStream *stream) noexcept nogil:
    # choose the index, mask the header; 0 or a Drop code
    cdef Session *session = packet.session
    cdef int drop
    if stream == NULL:
        return DROP_SRTP_FAILED
    if not srtp_stream_index(stream, read_u16(packet.out + 2), &packet.index):
        return DROP_SRTP_OLD
    drop = replay_check(&stream.rtp, packet.index)
    if drop != 0 and drop != DROP_SRTP_REPLAY:         # a retransmission within the window may have its index again
        return drop
    srtp_stream_accept(stream, packet.index)
    if session.policy.masks_headers and not crypto_mask(
            &session.header, &session.policy, packet.out, packet.header_size, packet.index):
        return DROP_SRTP_FAILED
    return 0


cdef int clear_size(const Session *session, const uint8_t *packet, int size) noexcept nogil:
    # the header's; -1: it is not sound, or cannot be masked
    cdef int end = header_size(packet, size)
    if end >= 0 and session.policy.masks_headers and header_mask_size(packet, end) < 0:
        return -1
    return end


cdef int seal_gcm(Pending *packet) noexcept nogil:
    cdef Session *session = packet.session
    cdef uint8_t context[GCM_CONTEXT]
    cdef uint8_t iv[16]
    cdef uint8_t *out = packet.out + packet.header_size
    make_iv(iv, session, &session.rtp, read_u32(packet.out + 8), packet.index)
    crypto_gcm(session.policy.cipher_key_size).enc(
        session.rtp.gcm, context, out, packet.payload, packet.size, iv, packet.out, packet.header_size,
        out + packet.size, 16)
    return packet.header_size + packet.size + 16


cdef bint encrypt_counter(Pending *packets, int count) noexcept nogil:
    cdef ImbJob jobs[BURST]
    cdef uint8_t ivs[BURST * 16]
    cdef Pending *packet
    cdef int i, n = 0, key_size = packets[0].session.policy.cipher_key_size
    memset(jobs, 0, count * sizeof(ImbJob))
    for i in range(count):
        packet = &packets[i]
        if packet.size:
            make_iv(ivs + 16 * n, packet.session, &packet.session.rtp, read_u32(packet.out + 8), packet.index)
            counter_job(&jobs[n], &packet.session.rtp, packet.out + packet.header_size, packet.payload, packet.size,
                        ivs + 16 * n, key_size)
            n += 1
    return n == 0 or crypto_counter(jobs, n, key_size)


cdef bint sign(Pending *packets, int count) noexcept nogil:
    # over the packet and the rollover counter, which stands for a moment where the tag will be
    cdef ImbJob jobs[BURST]
    cdef uint8_t tags[BURST * 20]
    cdef Pending *packet
    cdef int i, size
    memset(jobs, 0, count * sizeof(ImbJob))
    for i in range(count):
        packet = &packets[i]
        size = packet.header_size + packet.size
        write_u32(packet.out + size, <uint32_t>(packet.index >> 16))
        hmac_job(&jobs[i], &packet.session.rtp, packet.out, size + 4, tags + 20 * i)
    if not crypto_hmac(jobs, count):
        return False
    for i in range(count):
        packet = &packets[i]
        memcpy(packet.out + packet.header_size + packet.size, tags + 20 * i, packet.session.policy.tag_size)
    return True


cdef int seal(Pending *packet) noexcept nogil:
    if packet.session.policy.gcm:
        return seal_gcm(packet)
    if not encrypt_counter(packet, 1) or not sign(packet, 1):
        return DROP_SRTP_FAILED
    return packet.header_size + packet.size + packet.session.policy.tag_size


cdef int protect_cryptex(Session *session, uint8_t *out, int size) noexcept nogil:
    # in place: the block's four bytes go before the CSRCs, so that all that is encrypted is of one piece
    cdef Pending packet
    cdef int sealed, drop
    size = cryptex_mark(out, size)
    packet.session, packet.out = session, out
    packet.header_size, packet.size, packet.payload = 16, size - 16, out + 16
    drop = begin(&packet, stream_of(packet.session, read_u32(out + 8)))
    if drop != 0:
        return drop
    cryptex_join(out)
    if session.policy.gcm:
        sealed = seal_gcm(&packet)
        cryptex_part(out)
        return sealed
    if not encrypt_counter(&packet, 1):
        return DROP_SRTP_FAILED
    cryptex_part(out)
    return size + session.policy.tag_size if sign(&packet, 1) else DROP_SRTP_FAILED


cdef int protect(void *handle, uint8_t *out, const uint8_t *data, int size) noexcept nogil:
    cdef Pending packet
    cdef int drop
    packet.session = <Session *>handle
    packet.out = out
    packet.header_size = clear_size(packet.session, data, size)
    if packet.header_size < 0:
        return DROP_SRTP_FAILED
    if packet.session.policy.cryptex and cryptex_wanted(data):
        if out != data:
            memcpy(out, data, size)
        return protect_cryptex(packet.session, out, size)
    if out != data:
        memcpy(out, data, packet.header_size)
    packet.payload = data + packet.header_size
    packet.size = size - packet.header_size
    drop = begin(&packet, stream_of(packet.session, read_u32(out + 8)))
    return drop if drop != 0 else seal(&packet)


cdef int protect_rtcp(void *handle, uint8_t *out, const uint8_t *packet, int size) noexcept nogil:
    cdef Session *session = <Session *>handle
    cdef SrtpStream *stream = stream_of(session, read_u32(packet + 4))
    cdef uint8_t iv[16]
    cdef uint8_t aad[12]
    cdef uint8_t context[GCM_CONTEXT]
    cdef uint8_t tag[20]
    cdef ImbJob job
    if stream == NULL:
        return DROP_SRTP_FAILED
    if stream.rtcp_sent >= RTCP_INDEX_MAX:
        return DROP_SRTP_KEY_EXPIRED
    stream.rtcp_sent += 1
    if out != packet:
        memcpy(out, packet, size)
    make_iv(iv, session, &session.rtcp, stream.ssrc, stream.rtcp_sent)
    if session.policy.gcm:
        memcpy(aad, out, 8)
        write_u32(aad + 8, RTCP_ENCRYPTED | stream.rtcp_sent)
        crypto_gcm(session.policy.cipher_key_size).enc(
            session.rtcp.gcm, context, out + 8, out + 8, size - 8, iv, aad, 12, out + size, 16)
        memcpy(out + size + 16, aad + 8, 4)
        return size + 20
    memset(&job, 0, sizeof(ImbJob))
    counter_job(&job, &session.rtcp, out + 8, out + 8, size - 8, iv, session.policy.cipher_key_size)
    if size > RTCP_HEADER_SIZE and not crypto_counter(&job, 1, session.policy.cipher_key_size):
        return DROP_SRTP_FAILED
    write_u32(out + size, RTCP_ENCRYPTED | stream.rtcp_sent)
    memset(&job, 0, sizeof(ImbJob))
    hmac_job(&job, &session.rtcp, out, size + 4, tag)
    if not crypto_hmac(&job, 1):
        return DROP_SRTP_FAILED
    memcpy(out + size + 4, tag, session.policy.rtcp_tag_size)
    return size + 4 + session.policy.rtcp_tag_size


# ---- receiving

cdef int open_gcm(Session *session, uint8_t *packet, int start, int size, uint64_t index) noexcept nogil:
    # start: what is not encrypted; size: without the tag
    cdef uint8_t context[GCM_CONTEXT]
    cdef uint8_t iv[16]
    cdef uint8_t tag[16]
    gcm = crypto_gcm(session.policy.cipher_key_size)
    make_iv(iv, session, &session.rtp, read_u32(packet + 8), index)
    gcm.dec(session.rtp.gcm, context, packet + start, packet + start, size - start, iv, packet, start, tag, 16)
    if same(tag, packet + size, 16):
        return 0
    # put the ciphertext back: it may be tried with another index, and no one shall see what was not authentic
    gcm.enc(session.rtp.gcm, context, packet + start, packet + start, size - start, iv, packet, start, tag, 16)
    return DROP_SRTP_AUTH


cdef int verify(const KeySet *keys, uint8_t *packet, int size, const uint8_t *tag, int tag_size) noexcept nogil:
    cdef uint8_t computed[20]
    cdef ImbJob job
    memset(&job, 0, sizeof(ImbJob))
    hmac_job(&job, keys, packet, size, computed)
    if not crypto_hmac(&job, 1):
        return DROP_SRTP_FAILED
    return 0 if same(computed, tag, tag_size) else DROP_SRTP_AUTH


cdef int open_counter(Session *session, uint8_t *packet, int start, int size, uint64_t index) noexcept nogil:
    cdef uint8_t tag[16]
    cdef Pending opened
    cdef bint cryptex = start < 0
    cdef int drop
    memcpy(tag, packet + size, session.policy.tag_size)
    write_u32(packet + size, <uint32_t>(index >> 16))
    drop = verify(&session.rtp, packet, size + 4, tag, session.policy.tag_size)
    memcpy(packet + size, tag, session.policy.tag_size)
    if drop != 0:
        return drop
    opened.session, opened.out, opened.index = session, packet, index
    opened.header_size = 16 if cryptex else start
    opened.payload = packet + opened.header_size
    opened.size = size - opened.header_size
    if cryptex:
        cryptex_join(packet)
    if not encrypt_counter(&opened, 1):
        return DROP_SRTP_FAILED
    if cryptex:
        cryptex_part(packet)
    return 0


cdef int open_packet(Session *session, uint8_t *packet, int start, int size, uint64_t index) noexcept nogil:
    # start -1: encrypted by cryptex
    cdef int drop
    if not session.policy.gcm:
        return open_counter(session, packet, start, size, index)
    if start >= 0:
        return open_gcm(session, packet, start, size, index)
    cryptex_join(packet)
    drop = open_gcm(session, packet, 16, size, index)
    cryptex_part(packet)
    return drop


cdef int open_new(Session *session, uint8_t *packet, int start, int size, uint64_t *index) noexcept nogil:
    # an SSRC not seen yet: its rollover counter is 0, or 1 when the packets before a wrap were lost
    cdef int drop
    if session.streams.count >= SRTP_STREAMS_MAX:
        return DROP_SRTP_FAILED
    drop = open_packet(session, packet, start, size, index[0])
    if drop != DROP_SRTP_AUTH or index[0] >= 0x8000 or session.retries <= 0:
        return drop
    session.retries -= 1
    index[0] |= 0x10000
    drop = open_packet(session, packet, start, size, index[0])
    if drop == 0:
        session.retries = SRTP_ROC_RETRIES
    return drop


cdef int unprotect(void *handle, uint8_t *packet, int size) noexcept nogil:
    cdef Session *session = <Session *>handle
    cdef SrtpStream *stream = srtp_stream_find(&session.streams, read_u32(packet + 8))
    cdef uint64_t index = 0
    cdef int drop, clear = clear_size(session, packet, size), start = clear
    if clear < 0:
        return DROP_SRTP_FAILED
    if not srtp_stream_index(stream, read_u16(packet + 2), &index):
        return DROP_SRTP_OLD
    if stream != NULL:
        drop = replay_check(&stream.rtp, index)
        if drop != 0:
            return drop
    size -= session.policy.tag_size
    if size < clear:               # no room for a tag behind the header
        return DROP_SRTP_AUTH if session.policy.gcm and size < 0 else DROP_SRTP_FAILED
    if session.policy.cryptex and cryptex_marked(packet):
        start = -1
    if stream == NULL:
        drop = open_new(session, packet, start, size, &index)
    else:
        drop = open_packet(session, packet, start, size, index)
    if drop == 0 and start < 0:
        cryptex_unmark(packet)
    elif drop == 0 and session.policy.masks_headers and not crypto_mask(
            &session.header, &session.policy, packet, clear, index):
        drop = DROP_SRTP_FAILED
    if drop != 0:
        return drop
    stream = stream_of(session, read_u32(packet + 8))
    if stream == NULL:
        return DROP_SRTP_FAILED
    srtp_stream_accept(stream, index)
    return size


cdef int open_rtcp_gcm(Session *session, uint8_t *packet, int size, uint32_t trailer) noexcept nogil:
    # size: without tag and trailer
    cdef uint8_t context[GCM_CONTEXT]
    cdef uint8_t iv[16]
    cdef uint8_t aad[12]
    cdef uint8_t received[16]
    cdef uint8_t tag[16]
    gcm = crypto_gcm(session.policy.cipher_key_size)
    make_iv(iv, session, &session.rtcp, read_u32(packet + 4), trailer & RTCP_INDEX_MAX)
    memcpy(received, packet + size, 16)
    if trailer & RTCP_ENCRYPTED:
        memcpy(aad, packet, 8)
        write_u32(aad + 8, trailer)
        gcm.dec(session.rtcp.gcm, context, packet + 8, packet + 8, size - 8, iv, aad, 12, tag, 16)
    else:
        write_u32(packet + size, trailer)
        gcm.dec(session.rtcp.gcm, context, aad, aad, 0, iv, packet, size + 4, tag, 16)
    return 0 if same(tag, received, 16) else DROP_SRTP_AUTH


cdef int open_rtcp_counter(Session *session, uint8_t *packet, int size, uint32_t trailer) noexcept nogil:
    cdef uint8_t iv[16]
    cdef ImbJob job
    cdef int drop = verify(&session.rtcp, packet, size + 4, packet + size + 4, session.policy.rtcp_tag_size)
    if drop != 0 or size == RTCP_HEADER_SIZE or not trailer & RTCP_ENCRYPTED:
        return drop
    make_iv(iv, session, &session.rtcp, read_u32(packet + 4), trailer & RTCP_INDEX_MAX)
    memset(&job, 0, sizeof(ImbJob))
    counter_job(&job, &session.rtcp, packet + 8, packet + 8, size - 8, iv, session.policy.cipher_key_size)
    return 0 if crypto_counter(&job, 1, session.policy.cipher_key_size) else DROP_SRTP_FAILED


cdef int unprotect_rtcp(void *handle, uint8_t *packet, int size) noexcept nogil:
    cdef Session *session = <Session *>handle
    cdef SrtpStream *stream
    cdef uint32_t trailer
    cdef int drop, behind = 0 if session.policy.gcm else session.policy.rtcp_tag_size
    if size < RTCP_HEADER_SIZE + 4 + session.policy.rtcp_tag_size:
        return DROP_SRTP_FAILED
    trailer = read_u32(packet + size - 4 - behind)
    size -= 4 + session.policy.rtcp_tag_size
    stream = srtp_stream_find(&session.streams, read_u32(packet + 4))
    if stream != NULL:
        drop = replay_check(&stream.rtcp, trailer & RTCP_INDEX_MAX)
        if drop != 0:
            return drop
    elif session.streams.count >= SRTP_STREAMS_MAX:
        return DROP_SRTP_FAILED
    if session.policy.gcm:
        drop = open_rtcp_gcm(session, packet, size, trailer)
    else:
        drop = open_rtcp_counter(session, packet, size, trailer)
    if drop != 0:
        return drop
    stream = stream_of(session, read_u32(packet + 4))
    if stream == NULL:
        return DROP_SRTP_FAILED
    replay_add(&stream.rtcp, trailer & RTCP_INDEX_MAX)
    return size


# ---- the rest of the table

cdef void remove(void *handle, uint32_t ssrc) noexcept nogil:
    srtp_stream_remove(&(<Session *>handle).streams, ssrc)


cdef bint set_roc(void *handle, uint32_t ssrc, uint32_t roc) noexcept nogil:
    cdef SrtpStream *stream = stream_of(<Session *>handle, ssrc)
    if stream == NULL:
        return False
    stream.pending_roc = roc
    return True


cdef int64_t get_roc(void *handle, uint32_t ssrc) noexcept nogil:
    cdef SrtpStream *stream = srtp_stream_find(&(<Session *>handle).streams, ssrc)
    return -1 if stream == NULL else <int64_t>(stream.rtp.top >> 16)


cdef int count(const void *session) noexcept nogil:
    return <int>(<const Session *>session).streams.count


cdef int place(SrtpFanoutItem *item, Pending *packet, SrtpStream **stream) noexcept nogil:
    # 0, or what is the item's end already: a Drop code or a finished packet's size. *stream: of the packet before, in
    # the same session; mostly this one is of it too
    packet.session = <Session *>item.context.session
    packet.out, packet.header_size = item.out, item.header_size
    packet.payload, packet.size = item.payload, item.payload_size
    if clear_size(packet.session, item.out, item.header_size) != item.header_size:
        return DROP_SRTP_FAILED
    if packet.session.policy.cryptex and cryptex_wanted(item.out):
        if item.payload != item.out + item.header_size:
            memcpy(item.out + item.header_size, item.payload, item.payload_size)
        return protect_cryptex(packet.session, item.out, item.header_size + item.payload_size)
    if stream[0] == NULL or stream[0].ssrc != read_u32(item.out + 8):
        stream[0] = stream_of(packet.session, read_u32(item.out + 8))
    return begin(packet, stream[0])


cdef void finish(SrtpFanoutItem **items, Pending *packets, int n) noexcept nogil:
    cdef bint done = n == 0 or (encrypt_counter(packets, n) and sign(packets, n))
    cdef int i
    for i in range(n):
        items[i].size = DROP_SRTP_FAILED
        if done:
            items[i].size = packets[i].header_size + packets[i].size + packets[i].session.policy.tag_size


cdef void protect_many(SrtpFanoutItem *items, int n) noexcept nogil:
    # GCM one by one; counter mode gathered into bursts of one size of key
    cdef Pending waiting[BURST]
    cdef SrtpFanoutItem *owners[BURST]
    cdef Pending packet
    cdef SrtpStream *stream = NULL
    cdef int i, gathered = 0
    for i in range(n):
        if i and items[i].context != items[i - 1].context:
            stream = NULL
        items[i].size = place(&items[i], &packet, &stream)
        if items[i].size != 0:
            continue
        if packet.session.policy.gcm:
            items[i].size = seal_gcm(&packet)
            continue
        if gathered == BURST or (gathered and waiting[0].session.policy.cipher_key_size
                                 != packet.session.policy.cipher_key_size):
            finish(owners, waiting, gathered)
            gathered = 0
        waiting[gathered], owners[gathered] = packet, &items[i]
        gathered += 1
    finish(owners, waiting, gathered)


cdef const SrtpBackend *ipsecmb_backend() noexcept nogil:
    return &table if crypto_present() else NULL


table.name = "ipsec-mb"
table.cryptex = True
table.create, table.free = create, release
table.protect, table.unprotect = protect, unprotect
table.protect_rtcp, table.unprotect_rtcp = protect_rtcp, unprotect_rtcp
table.remove, table.set_roc, table.roc, table.count, table.protect_many = remove, set_roc, get_roc, count, \
    protect_many


def with_session_keys(int profile, bytes key, bytes salt, bytes packet, int rtcp_index, *, bint inbound=False):
    """A packet protected, or `inbound` and opened, under session keys as they are, where an RFC's vectors state those.

    Args:
        profile: a GCM profile.
        key: session key, 16 or 32 bytes.
        salt: session salt, 12 bytes.
        packet: RTP, or RTCP.
        rtcp_index: that of the SRTCP packet, 1 to 2^31 - 1; 0 for RTP.
    """
    cdef SrtpPolicy policy
    cdef Session *session
    cdef uint8_t out[2048]
    cdef int size = <int>len(packet)
    both = key + salt
    if not crypto_present() or size > 1500 or not srtp_policy_init(
            &policy, profile, <const uint8_t *><const char *>both, <int>len(both), inbound) or not policy.gcm:
        raise ValueError("not a GCM profile with its key")
    session = <Session *>create(&policy)
    crypto_install(&session.rtp, &policy, policy.key, policy.key + policy.cipher_key_size, NULL)
    crypto_install(&session.rtcp, &policy, policy.key, policy.key + policy.cipher_key_size, NULL)
    memcpy(out, <const char *>packet, size)
    if inbound:
        size = (unprotect_rtcp if rtcp_index else unprotect)(session, out, size)
    elif rtcp_index:
        stream_of(session, read_u32(out + 4)).rtcp_sent = rtcp_index - 1
        size = protect_rtcp(session, out, out, size)
    else:
        size = protect(session, out, out, size)
    release(session)
    return (<char *>out)[:max(size, 0)]
