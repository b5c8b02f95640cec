"""SRTP and SRTCP in C, every backend beside the others. An input is a script of packets, as `srtp.py` tells; a run of
the parser is one packet unprotected.

Most packets are authentic: what the tag lets through is where states and headers are worked on. Of two senders one has
the receivers' options. The other has none, so its headers go out as they are, and sound or not they come with a tag
that is right. libsrtp and libIPSec_MB are nobody's to compile here, so no sanitizer is in them: they get their packets
before a closed page.
"""

from fuzz._dice cimport Dice, mixed, roll
from fuzz._loop cimport Guard, Tally, exact, guard_open, guarded, loop_of, ran
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset
from mediarouter._drop cimport DROP_SRTP_AUTH, DROP_SRTP_FAILED
from mediarouter._rtp cimport write_u16, write_u32
from mediarouter._srtp cimport (
    srtp_context_free,
    srtp_context_protect_rtcp_to,
    srtp_context_protect_to,
    srtp_context_unprotect,
    srtp_context_unprotect_rtcp,
    srtp_context_with,
)
from mediarouter._srtp_ipsecmb cimport ipsecmb_backend
from mediarouter._srtp_libsrtp cimport libsrtp_backend
from mediarouter._srtp_policy cimport SRTP_MAX_TRAILER, SrtpBackend, SrtpContext, SrtpPolicy, srtp_policy_init

cdef enum:
    OPTION_MKI = 1
    OPTION_MASKED = 2
    OPTION_CRYPTEX = 4
    OPTION_SHORT_LIFE = 8
    OPTION_ALONE = 16              # one backend only, so that packets may hold what libsrtp reads in its own way
    OPTIONS = 31
    STEP_SIZE = 8
    STEPS_MAX = 64
    SENDERS = 8                    # SSRCs
    PACKET_MAX = 512               # bytes, in clear
    LIFE = 20

cdef int[6] profiles = [0x0001, 0x0002, 0x0007, 0x0008, 0x0101, 0x0102]
cdef int[4] masked_ids = [1, 5, 14, 15]
cdef int[16] jumps = [1, 1, 1, 2, 0, -1, -3, -64, -127, -128, -200, 130, 0x3FFF, 0x7FFF, 0x8000, -0x7FFF]
cdef int[6] forms = [0xBEDE, 0xBEDE, 0x1000, 0x1005, 0xC0DE, 0xC2DE]
cdef const uint8_t *ONE_BYTE_BLOCK = b"\x10a\x51bc\0\0\0"
cdef const uint8_t *TWO_BYTE_BLOCK = b"\1\1a\5\2bc\0"
cdef Guard guard

cdef struct Player:                # the contexts of one script, and the packet in hand
    SrtpContext *senders[2]        # by backend
    SrtpContext *receivers[2]
    SrtpContext *plain
    int backends
    int options
    int profile
    bint in_step                   # whatever was sent has come in order and undamaged
    bint known                     # the receivers have taken the packet before
    bint exact                     # it should come out as it went in
    uint16_t seqs[SENDERS]
    Dice dice                      # for what packets hold; another script, other bytes in all of them
    int clear_size
    int size                       # 0: there is none yet
    uint8_t clear[PACKET_MAX]
    uint8_t packet[PACKET_MAX + SRTP_MAX_TRAILER]


cdef SrtpContext *context_of(const SrtpBackend *backend, int profile, int options, bint inbound) noexcept nogil:
    cdef SrtpPolicy policy
    cdef SrtpContext *context
    cdef uint8_t key[48]
    cdef int i
    for i in range(48):
        key[i] = <uint8_t>i
    # the size of its key is the profile's own: the first try tells it
    srtp_policy_init(&policy, profile, key, 0, inbound)
    srtp_policy_init(&policy, profile, key, policy.key_size, inbound)
    if options & OPTION_CRYPTEX:
        policy.cryptex = True
    elif options & OPTION_MASKED:
        policy.masks_headers = True
        for i in range(4):
            policy.masked[masked_ids[i]] = 1
    context = srtp_context_with(backend, &policy)
    if options & OPTION_MKI:
        context.mki_size = 4
        memcpy(context.mki, <const char *>b"mki!", 4)
    if inbound and options & OPTION_SHORT_LIFE:
        context.rtp_left = context.rtcp_left = LIFE
    return context


cdef void begin(Player *player, int profile, int options) noexcept nogil:
    cdef const SrtpBackend *backends[2]
    cdef int i
    memset(player, 0, sizeof(Player))
    backends[0], backends[1] = libsrtp_backend(), ipsecmb_backend()
    player.backends = 1 if backends[1] == NULL else 2
    player.options = options & (OPTIONS if player.backends == 2 else OPTIONS & ~(OPTION_CRYPTEX | OPTION_ALONE))
    player.profile = profiles[profile % 6]
    player.plain = context_of(backends[0], player.profile, player.options & OPTION_MKI, False)
    if player.options & (OPTION_CRYPTEX | OPTION_ALONE):
        player.backends = 1
        backends[0] = backends[1]
    for i in range(player.backends):
        player.senders[i] = context_of(backends[i], player.profile, player.options, False)
        player.receivers[i] = context_of(backends[i], player.profile, player.options, True)
    player.in_step = not player.options & OPTION_SHORT_LIFE
    for i in range(0, SENDERS, 4):
        player.seqs[i], player.seqs[i + 1] = 0xFFF0, 0
        player.seqs[i + 2], player.seqs[i + 3] = 0x7FF0, 0x8005


cdef void end(Player *player) noexcept nogil:
    cdef int i
    srtp_context_free(player.plain)
    for i in range(player.backends):
        srtp_context_free(player.senders[i])
        srtp_context_free(player.receivers[i])


cdef const char *check(Tally *tally, uint8_t *data, int size) noexcept nogil:
    cdef Player player
    cdef const char *wrong = NULL
    cdef int i
    if size < 2 + STEP_SIZE:
        return NULL
    begin(&player, data[0], data[1])
    for i in range(size):
        player.dice.state = mixed(player.dice.state ^ data[i]) + 1
    for i in range(min((size - 2) // STEP_SIZE, STEPS_MAX)):
        wrong = play(tally, &player, data + 2 + STEP_SIZE * i)
        if wrong != NULL:
            break
    end(&player)
    return wrong


cdef const char *play(Tally *tally, Player *player, const uint8_t *step) noexcept nogil:
    cdef const char *wrong
    cdef bint again = step[0] & 0x10 and player.size
    if not again:
        wrong = make(player, step)
        if wrong != NULL or player.size == 0:
            return wrong
    return unprotected(tally, player, step, again)


# ---- sending

cdef void fill(Dice *dice, uint8_t *out, int size, bint zeros) noexcept nogil:
    # Zeros between elements are padding, for which libsrtp uses up no keystream, and in front of all elements it takes
    # one for an element (against RFC 6904 section 3.1, RFC 8285 section 4.1.2). Nobody sends such, and on them the
    # backends do not agree.
    cdef int i
    for i in range(size):
        out[i] = <uint8_t>roll(dice)
        if out[i] == 0 and not zeros:
            out[i] = 1


cdef int write_clear(Player *player, const uint8_t *step, int sender) noexcept nogil:
    # an RTP or an RTCP packet; its size
    cdef uint8_t *out = player.clear
    cdef int content, at, form = step[3] & 7
    cdef int csrcs = step[3] >> 3 & 3
    if step[0] & 1:
        write_u32(out, <uint32_t>0x80C80006)
        write_u32(out + 4, <uint32_t>sender)
        at = 8
    else:
        player.seqs[sender] = <uint16_t>(player.seqs[sender] + jumps[step[1] & 15])
        out[0], out[1] = <uint8_t>(0x80 | csrcs | (0x10 if form > 1 else 0)), 96
        write_u16(out + 2, player.seqs[sender])
        write_u32(out + 4, <uint32_t>roll(&player.dice))
        write_u32(out + 8, <uint32_t>sender)
        memset(out + 12, 0x33, 4 * csrcs)
        at = 12 + 4 * csrcs
        if form > 1:
            content = 4 * (1 + step[3] % 5) if step[3] & 0x40 else 8
            write_u16(out + at, <uint16_t>forms[form - 2])
            write_u16(out + at + 2, <uint16_t>(content // 4))
            memcpy(out + at + 4, ONE_BYTE_BLOCK if form < 4 or form == 6 else TWO_BYTE_BLOCK, 8)
            at += 4
            if step[3] & 0x40:
                fill(&player.dice, out + at, content, player.backends == 1)
            at += content
    fill(&player.dice, out + at, step[2], True)
    return at + step[2]


cdef int protect(SrtpContext *context, bint control, uint8_t *out, const uint8_t *clear, int size) noexcept nogil:
    if control:
        return srtp_context_protect_rtcp_to(context, out, clear, size)
    return srtp_context_protect_to(context, out, clear, size)


cdef const char *make(Player *player, const uint8_t *step) noexcept nogil:
    # the next packet, by every backend
    cdef int sender = (step[0] >> 1 & 3) + (4 if step[0] & 8 else 0)
    cdef int size = write_clear(player, step, sender)
    cdef int jump = jumps[step[1] & 15]
    cdef int room = size + SRTP_MAX_TRAILER
    cdef uint8_t *clear = exact(player.clear, size)
    cdef uint8_t *out = <uint8_t *>malloc(room)
    cdef const char *wrong = NULL
    cdef int i, made, count = 1 if step[0] & 8 else player.backends
    player.size, player.clear_size, player.known = 0, size, False
    for i in range(count):
        made = protect(player.plain if step[0] & 8 else player.senders[i], step[0] & 1, out, clear, size)
        if memcmp(clear, player.clear, size) != 0:
            wrong = "a packet that was written into while it was read"
        elif made > room or 0 <= made < size:
            wrong = "a protected packet larger than its room, or smaller than it was"
        elif i and made != player.size or i and made > 0 and memcmp(out, player.packet, made) != 0:
            wrong = "two backends that protect otherwise"
        if made > 0:
            memcpy(player.packet, out, made)
        player.size = made
    free(out)
    free(clear)
    # what cryptex marks by itself, or gives a block that was not there, comes out otherwise
    player.exact = not step[0] & 8 and (step[0] & 1 or not player.options & OPTION_CRYPTEX
                                        or (2 <= step[3] & 7 <= 5))
    if player.size <= 0 or (not step[0] & 1 and jump != 1 and jump != 2):
        player.in_step = False
    player.size = max(player.size, 0)
    return wrong


# ---- receiving

cdef int damage(uint8_t *packet, int size, const uint8_t *step) noexcept nogil:
    # a bit turned, cut, longer, or as it was; there is room
    cdef int turn = step[0] >> 5
    cdef int place = step[4] << 8 | step[5]
    if turn == 5:
        return place % (size + 1)
    if turn == 6:
        memset(packet + size, 0, 20)
        return size + 1 + place % 20
    if turn == 4:
        packet[place % size] ^= <uint8_t>(1 << (step[6] & 7))
    elif turn == 7:
        packet[size - 1 - place % min(size, 24)] ^= <uint8_t>(1 << (step[6] & 7))
    return size


cdef const char *unprotected(Tally *tally, Player *player, const uint8_t *step, bint again) noexcept nogil:
    cdef uint8_t packet[PACKET_MAX + SRTP_MAX_TRAILER + 20]
    cdef uint8_t opened[PACKET_MAX + SRTP_MAX_TRAILER + 20]
    cdef const char *wrong = NULL
    cdef bint control = step[0] & 1
    cdef bint changed
    cdef uint8_t *copied
    cdef int i, size, result = 0, first = 0
    memcpy(packet, player.packet, player.size)
    size = damage(packet, player.size, step)
    changed = size != player.size or memcmp(packet, player.packet, size) != 0
    for i in range(player.backends):
        # the sanitizers see our code, the closed page the others'
        copied = exact(packet, size) if step[7] & 1 else guarded(&guard, packet, size)
        if control:
            result = srtp_context_unprotect_rtcp(player.receivers[i], copied, size)
        else:
            result = srtp_context_unprotect(player.receivers[i], copied, size)
        if result > size:
            wrong = "an opened packet larger than it came"
        elif i and result != first or i and result > 0 and memcmp(copied, opened, result) != 0:
            wrong = "two backends that unprotect otherwise"
        elif result > 0:
            memcpy(opened, copied, result)
        first = result
        if step[7] & 1:
            free(copied)
    ran(tally, packet, size, result >= 0, shape_of(player, step, result))
    if wrong == NULL:
        wrong = result_is_sound(player, step, opened, result, again, changed)
    if changed or again:
        player.in_step = False
    if not changed and result >= 0:
        player.known = True
    return wrong


cdef inline uint64_t shape_of(const Player *player, const uint8_t *step, int result) noexcept nogil:
    return (player.profile | <uint64_t>player.options << 10 | <uint64_t>(step[0] & 0xF9) << 14
            | <uint64_t>(step[1] & 15) << 22 | <uint64_t>(step[3] & 0x5F) << 26
            | <uint64_t>(-result if result < 0 else 0) << 34)


cdef const char *result_is_sound(const Player *player, const uint8_t *step, const uint8_t *opened, int result,
                                 bint again, bint changed) noexcept nogil:
    cdef bint control = step[0] & 1
    if result < 0:
        if not DROP_SRTP_FAILED <= result <= DROP_SRTP_AUTH:
            return "a refusal that is none of SRTP's"
        if player.in_step and not again and not changed and player.exact:
            return "a sound packet refused"
        return NULL
    # two tags of 32 bits may be alike by chance
    if changed and (control or player.receivers[0].tag_size > 4):
        return "a changed packet believed"
    if not changed and again and player.known:
        return "a packet taken twice"
    if not changed and player.exact and (
            result != player.clear_size or memcmp(opened, player.clear, result) != 0):
        return "a packet that comes out otherwise than it went in"
    return NULL


def loop(seeds, seed, kept=None):
    """See `fuzz._loop`."""
    if guard.end == NULL and not guard_open(&guard):
        raise MemoryError
    return loop_of(check, NULL, seeds, seed, kept)
