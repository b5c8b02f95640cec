# ICE-lite (RFC 8445 section 2.5) for one transport: who may send here, which address we send to, and until when we may
# (RFC 7675). Sans-IO; time is an argument.
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t
from mediarouter._address cimport Address
from mediarouter._sha1 cimport HmacSha1Key
from mediarouter._stun cimport StunMessage

cdef enum:
    ICE_MAX_PAIRS = 8              # valid addresses remembered for one peer; the oldest unselected goes first
    ICE_UFRAG_MAX = 32
    ICE_PASSWORD_MAX = 64

cdef struct IceCredentials:
    uint8_t ufrag[32]
    uint8_t password[64]
    uint8_t ufrag_size             # 0: none
    uint8_t password_size

cdef struct IcePair:
    Address remote
    int64_t last_check_us
    int64_t last_nominated_us      # of its last check with USE-CANDIDATE
    uint32_t priority              # what the peer's check said
    bint nominated                 # once, since the last restart

cdef struct IceAgent:
    int8_t selected                # index into pairs, -1 none
    uint8_t pair_count
    IcePair pairs[8]
    IceCredentials local
    IceCredentials previous        # of before a restart, valid until the new ones are first used
    uint8_t remote_ufrag[32]       # learnt by signalling; empty: any
    uint8_t remote_ufrag_size
    int64_t consent_until_us       # sending stops here, unless another check comes (RFC 7675)
    int64_t consent_timeout_us     # 30 s by default
    HmacSha1Key key                # made of the password beside it, whenever another one is needed
    uint8_t key_password[64]
    uint8_t key_password_size      # 0: no key yet

cdef enum IceOutcome:              # bits
    ICE_RESPOND = 1                # *response_size bytes to send back to the source
    ICE_NEW_PAIR = 2               # the source is now one of the peer's addresses
    ICE_SELECTED = 4               # the selected pair changed: send there from now on
    ICE_RESTARTED = 8              # the credentials of a restart were used for the first time
    ICE_PAIR_REMOVED = 16          # an older address was forgotten: *removed says which

cdef void ice_init(IceAgent *agent, int64_t consent_timeout_us) noexcept nogil
# New credentials. Those of before are answered too until the new ones are first used; when they never were, those that
# they had replaced stay the old ones. The peer's ufrag is forgotten: it gets a new one too (RFC 8445 section 9).
cdef void ice_restart(IceAgent *agent, const IceCredentials *fresh) noexcept nogil
# A datagram parsed as STUN from `source`, whose USERNAME begins with one of this agent's ufrags. IceOutcome bits, or a
# Drop code: then nothing changed and there is nothing to send, so that who does not know the password learns nothing.
# Errors 420 and 487 are ICE_RESPOND alone. `removed` is written with ICE_PAIR_REMOVED only.
cdef int ice_handle_request(IceAgent *agent, const StunMessage *request, const Address *source, int64_t now_us,
                            uint8_t *response, int capacity, int *response_size, Address *removed) noexcept nogil
cdef bint ice_has_consent(const IceAgent *agent, int64_t now_us) noexcept nogil
# The way to this address is gone (its TCP connection closed). True when it was the selected one: another pair, the
# nominated one checked last, is selected in its place if there is one, for as long as its own last check allows.
cdef bint ice_remove_address(IceAgent *agent, const Address *remote) noexcept nogil
