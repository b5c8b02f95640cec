"""STUN messages in C, and an ICE agent that is to answer them. Half of the inputs are signed after they were mutated:
what a peer with the password may send."""

from fuzz._dice cimport Dice, below
from fuzz._loop cimport Tally, loop_of, ran
from fuzz._mutate cimport INPUT_MAX
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset
from mediarouter._address cimport Address, address_set
from mediarouter._drop cimport DROP_STUN_MALFORMED, DROP_STUN_UNEXPECTED
from mediarouter._ice cimport ICE_PAIR_REMOVED, ICE_RESPOND, IceAgent, ice_has_consent, ice_handle_request, ice_init
from mediarouter._rtp cimport read_u16, write_u16, write_u32
from mediarouter._sha1 cimport HmacSha1Key, Sha1, hmac_sha1_begin, hmac_sha1_end, hmac_sha1_key, sha1_update
from mediarouter._stun cimport (
    STUN_BINDING_ERROR,
    STUN_BINDING_INDICATION,
    STUN_BINDING_REQUEST,
    STUN_BINDING_RESPONSE,
    STUN_RESPONSE_MAX,
    STUN_UNKNOWN_MAX,
    StunMessage,
    stun_check_integrity,
    stun_parse,
    stun_peek_ufrag,
)

cdef enum:
    HEADER_SIZE = 20
    INTEGRITY_SIZE = 24
    FINGERPRINT_SIZE = 8
    MAGIC_COOKIE = 0x2112A442
    NOW_US = 1000000
    COLON = 58

cdef const char *UFRAG = "evtj"
cdef const char *PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
cdef HmacSha1Key key
cdef uint32_t[256] crc_table


cdef int repair(Dice *dice, uint8_t *data, int size) noexcept nogil:
    cdef int turn = below(dice, 16)
    if size < HEADER_SIZE or turn == 0:
        return size
    size &= ~3
    write_u32(data + 4, MAGIC_COOKIE)
    data[0] &= 0x3F
    if turn < 12:
        write_u16(data, STUN_BINDING_REQUEST)
    if turn < 10:
        return signed(data, unsigned_size(data, min(size, INPUT_MAX - INTEGRITY_SIZE - FINGERPRINT_SIZE)))
    write_u16(data + 2, <uint16_t>(size - HEADER_SIZE))
    return size


cdef int unsigned_size(uint8_t *data, int size) noexcept nogil:
    # attributes whose lengths fit, up to the first that seals the message; the last one is filled up
    cdef int at = HEADER_SIZE
    cdef int kind
    while at + 4 <= size:
        kind = read_u16(data + at)
        if kind == 0x0008 or kind == 0x8028:
            return at
        if at + 4 + read_u16(data + at + 2) > size:
            write_u16(data + at + 2, <uint16_t>(size - at - 4))
        at += 4 + ((read_u16(data + at + 2) + 3) & ~3)
    return at


cdef int signed(uint8_t *data, int size) noexcept nogil:
    # RFC 8489 sections 14.5 and 14.7, written a second time: by who is no judge of himself
    cdef Sha1 sha
    cdef uint32_t crc = <uint32_t>0xFFFFFFFF
    cdef int i
    write_u16(data + 2, <uint16_t>(size + INTEGRITY_SIZE - HEADER_SIZE))
    hmac_sha1_begin(&sha, &key)
    sha1_update(&sha, data, size)
    write_u32(data + size, 0x00080014)
    hmac_sha1_end(&sha, &key, data + size + 4)
    size += INTEGRITY_SIZE
    write_u16(data + 2, <uint16_t>(size + FINGERPRINT_SIZE - HEADER_SIZE))
    for i in range(size):
        crc = (crc >> 8) ^ crc_table[(crc ^ data[i]) & 0xFF]
    write_u32(data + size, <uint32_t>0x80280004)
    write_u32(data + size + 4, ~crc ^ 0x5354554E)
    return size + FINGERPRINT_SIZE


cdef const char *check(Tally *tally, uint8_t *data, int size) noexcept nogil:
    cdef StunMessage message
    cdef const uint8_t *ufrag = NULL
    cdef const char *wrong = NULL
    cdef int ufrag_size = stun_peek_ufrag(data, size, &ufrag)
    cdef int result
    memset(&message, 0xA5, sizeof(message))
    result = stun_parse(&message, data, size)
    ran(tally, data, size, result == 0, shape_of(&message) if result == 0 else 0)
    if ufrag_size >= 0 and not (ufrag >= data + HEADER_SIZE + 4 and ufrag + ufrag_size <= data + size):
        return "a ufrag outside of the message"
    if result != 0:
        return refusal(result)
    wrong = message_is_sound(&message, data, size)
    if wrong == NULL and ufrag_size >= 0 and message.username != NULL:
        if message.username != ufrag or message.username_size < ufrag_size:
            wrong = "a look ahead that sees another name than the parser"
    if wrong == NULL:
        wrong = answered(&message)
    return wrong


cdef const char *refusal(int result) noexcept nogil:
    if not DROP_STUN_UNEXPECTED <= result <= DROP_STUN_MALFORMED:
        return "a refusal that is none of STUN's"
    return NULL


cdef inline uint64_t shape_of(const StunMessage *message) noexcept nogil:
    return (message.message_type | <uint64_t>(message.username != NULL) << 16 | <uint64_t>message.unknown_count << 17
            | <uint64_t>message.has_priority << 20 | <uint64_t>message.use_candidate << 21
            | <uint64_t>message.ice_controlling << 22 | <uint64_t>message.ice_controlled << 23
            | <uint64_t>message.has_fingerprint << 24 | <uint64_t>(message.error_code != 0) << 25
            | <uint64_t>(message.integrity_offset >> 2) << 26)


cdef const char *message_is_sound(const StunMessage *message, const uint8_t *data, int size) noexcept nogil:
    if message.data != data or message.size != size:
        return "a message that is somewhere else"
    if message.username != NULL and not (message.username >= data + HEADER_SIZE + 4 and message.username_size <= 513
                                         and message.username + message.username_size <= data + size):
        return "a name outside of the message"
    if message.integrity_offset and not HEADER_SIZE <= message.integrity_offset <= size - INTEGRITY_SIZE:
        return "an integrity outside of the message"
    if message.unknown_count > STUN_UNKNOWN_MAX:
        return "more unknown attributes than there is room for"
    if message.ice_controlling and message.ice_controlled:
        return "a peer that is both controlling and controlled"
    return NULL


cdef const char *answered(const StunMessage *message) noexcept nogil:
    # from so many addresses that the oldest must go, too
    cdef IceAgent agent
    cdef Address source, removed
    cdef uint8_t ip[16]
    cdef uint8_t *response
    cdef const char *wrong = NULL
    cdef int i, outcome, response_size
    ice_init(&agent, 30 * <int64_t>NOW_US)
    memcpy(agent.local.ufrag, UFRAG, 4)
    memcpy(agent.local.password, PASSWORD, 22)
    agent.local.ufrag_size, agent.local.password_size = 4, 22
    memset(ip, 0x20, sizeof(ip))
    response = <uint8_t *>malloc(STUN_RESPONSE_MAX)
    for i in range(10):
        ip[3] = <uint8_t>i
        address_set(&source, ip, 16 if i & 1 else 4, <uint16_t>(9 + i))
        response_size = -1
        outcome = ice_handle_request(&agent, message, &source, NOW_US * (i + 1), response, STUN_RESPONSE_MAX,
                                     &response_size, &removed)
        wrong = outcome_is_sound(&agent, message, outcome, response, response_size)
        if wrong != NULL or outcome <= ICE_RESPOND:
            break                  # refused, or answered by an error: again next time
        if i >= 8 and not outcome & ICE_PAIR_REMOVED:
            wrong = "more addresses than there is room for"
            break
    free(response)
    return wrong


cdef const char *outcome_is_sound(const IceAgent *agent, const StunMessage *message, int outcome,
                                  const uint8_t *response, int size) noexcept nogil:
    cdef StunMessage reply
    if agent.pair_count > 8 or not -1 <= agent.selected < agent.pair_count:
        return "a selected address that is not there"
    if ice_has_consent(agent, NOW_US) and not message.use_candidate:
        return "a consent to send that nobody gave"
    if outcome < 0:
        if size != 0 or agent.pair_count:
            return "an answer to a message that is refused, or a trace of it"
        return refusal(outcome)
    if not outcome & ICE_RESPOND:
        if size != 0 or message.message_type != STUN_BINDING_INDICATION:
            return "a request without an answer"
        return NULL
    # an answer to who proved nothing would be a gift to reflectors
    if message.message_type != STUN_BINDING_REQUEST or not stun_check_integrity(message, &key):
        return "an answer to who does not know the password"
    if memcmp(message.username, UFRAG, 4) != 0 or message.username[4] != COLON:
        return "an answer to who meant another"
    if not HEADER_SIZE < size <= STUN_RESPONSE_MAX or stun_parse(&reply, response, size) != 0:
        return "an answer that is no message"
    if not (reply.has_fingerprint and stun_check_integrity(&reply, &key)):
        return "an answer without its seal"
    if memcmp(response + 4, message.data + 4, 16) != 0:
        return "an answer to another transaction"
    if reply.message_type != (STUN_BINDING_ERROR if outcome == ICE_RESPOND and agent.pair_count == 0
                              else STUN_BINDING_RESPONSE):
        return "an answer of the wrong kind"
    return NULL


def loop(seeds, seed, kept=None):
    """See `fuzz._loop`."""
    return loop_of(check, repair, seeds, seed, kept)


cdef void make_tables() noexcept nogil:
    cdef uint32_t value
    cdef int i, _
    hmac_sha1_key(&key, <const uint8_t *>PASSWORD, 22)
    for i in range(256):
        value = <uint32_t>i
        for _ in range(8):
            value = (value >> 1) ^ (<uint32_t>0xEDB88320 if value & 1 else 0)
        crc_table[i] = value


make_tables()
