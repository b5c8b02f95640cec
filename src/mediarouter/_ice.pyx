"""ICE-lite, the answering side of connectivity checks; `_ice.pxd` shows its state.

Theory of operation
A lite agent never checks; it answers, and it believes the controlling peer (RFC 8445 section 2.5). An address is the
peer's once a check from there bore our password. Which of them we send to is the peer's choice, by USE-CANDIDATE:

* aggressive nomination puts it on every check, so among nominated pairs the higher priority wins (RFC 5245 8.1.1.2),
  and the order in which checks happen to arrive does not move the stream to and fro;
* regular nomination puts it on one check. A later one elsewhere is a new choice: the selected pair was not nominated
  again for RENOMINATION_US, so the newer nomination wins whatever its priority;
* a first nomination with the same priority comes from the same candidate of the peer by another way: a NAT gave it
  another address, and the stream follows at once;
* a peer that has nominated and is done says so no more. When the selected pair hears nothing at all for LOST_US, the
  address its checks come from now is where it is.

Consent to send is the peer's checks of the selected pair (RFC 7675), of no other.
"""

cimport cython
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t
from libc.string cimport memcmp, memcpy, memset
from mediarouter._address cimport Address, address_equal, address_ip, address_is_ipv4, address_set
from mediarouter._drop cimport DROP_STUN_INTEGRITY, DROP_STUN_UNEXPECTED, DROP_STUN_UNKNOWN_UFRAG
from mediarouter._sha1 cimport HmacSha1Key, hmac_sha1_key
from mediarouter._stun cimport (
    STUN_BINDING_INDICATION,
    STUN_BINDING_REQUEST,
    STUN_RESPONSE_MAX,
    StunMessage,
    stun_check_integrity,
    stun_parse,
    stun_write_binding_response,
    stun_write_error_response,
)

cdef enum:
    RENOMINATION_US = 3000000      # longer than the aggressive nominators' interval (libwebrtc: 2.5 s)
    LOST_US = 8000000              # longer than consent checks are apart: 5 s, give or take 20 % (RFC 7675 5.1)
    COLON = 58


cdef void ice_init(IceAgent *agent, int64_t consent_timeout_us) noexcept nogil:
    memset(agent, 0, sizeof(IceAgent))
    agent.selected = -1
    agent.consent_timeout_us = consent_timeout_us


cdef void ice_restart(IceAgent *agent, const IceCredentials *fresh) noexcept nogil:
    if agent.previous.ufrag_size == 0:
        agent.previous = agent.local
    agent.local = fresh[0]
    agent.remote_ufrag_size = 0


cdef bint ice_has_consent(const IceAgent *agent, int64_t now_us) noexcept nogil:
    return agent.selected >= 0 and now_us < agent.consent_until_us


cdef int ice_handle_request(IceAgent *agent, const StunMessage *request, const Address *source, int64_t now_us,
                            uint8_t *response, int capacity, int *response_size, Address *removed) noexcept nogil:
    cdef const IceCredentials *credentials = &agent.local
    cdef const HmacSha1Key *key
    cdef int outcome = 0
    response_size[0] = 0
    if request.message_type == STUN_BINDING_INDICATION:
        return 0                   # a keepalive: it proves nothing
    if request.message_type != STUN_BINDING_REQUEST:
        return DROP_STUN_UNEXPECTED
    if is_for(&agent.previous, request):
        credentials = &agent.previous
    elif not is_for(&agent.local, request) or not is_from_peer(agent, request):
        return DROP_STUN_UNKNOWN_UFRAG
    key = key_of(agent, credentials)
    if not stun_check_integrity(request, key):
        return DROP_STUN_INTEGRITY
    if request.unknown_count or request.ice_controlled:
        # RFC 8489 6.3.1; whoever meets a lite agent is controlling (RFC 8445 6.1.1, 7.3.1.1)
        response_size[0] = stun_write_error_response(response, capacity, request, 420 if request.unknown_count else 487,
                                                     key)
        return ICE_RESPOND
    if credentials == &agent.local and agent.previous.ufrag_size:
        memset(&agent.previous, 0, sizeof(IceCredentials))
        outcome = ICE_RESTARTED
        forget_nominations(agent)
    outcome |= note_pair(agent, request, source, now_us, removed)
    response_size[0] = stun_write_binding_response(response, capacity, request, source, key)
    return outcome | ICE_RESPOND


cdef bint ice_remove_address(IceAgent *agent, const Address *remote) noexcept nogil:
    cdef int index = find_pair(agent, remote)
    cdef bint was_selected = index >= 0 and index == agent.selected
    cdef int best = -1
    cdef int i
    if index < 0:
        return False
    if was_selected:
        agent.selected = -1
    take_out(agent, index)
    if not was_selected:
        return False
    for i in range(agent.pair_count):
        if agent.pairs[i].nominated and (best < 0 or agent.pairs[i].last_check_us > agent.pairs[best].last_check_us):
            best = i
    agent.selected = <int8_t>best
    agent.consent_until_us = agent.pairs[best].last_check_us + agent.consent_timeout_us if best >= 0 else 0
    return True


cdef inline bint is_for(const IceCredentials *credentials, const StunMessage *request) noexcept nogil:
    # USERNAME is our ufrag, a colon, the peer's (RFC 8445 7.2.2)
    return (credentials.ufrag_size > 0 and credentials.password_size > 0
            and request.username_size > credentials.ufrag_size
            and request.username[credentials.ufrag_size] == COLON
            and memcmp(request.username, credentials.ufrag, credentials.ufrag_size) == 0)


cdef inline bint is_from_peer(const IceAgent *agent, const StunMessage *request) noexcept nogil:
    cdef int ours = agent.local.ufrag_size + 1
    return (agent.remote_ufrag_size == 0
            or (request.username_size == ours + agent.remote_ufrag_size
                and memcmp(request.username + ours, agent.remote_ufrag, agent.remote_ufrag_size) == 0))


cdef const HmacSha1Key *key_of(IceAgent *agent, const IceCredentials *credentials) noexcept nogil:
    # compared by the password, so that it holds whoever wrote the credentials
    if (agent.key_password_size != credentials.password_size
            or memcmp(agent.key_password, credentials.password, credentials.password_size) != 0):
        hmac_sha1_key(&agent.key, credentials.password, credentials.password_size)
        memcpy(agent.key_password, credentials.password, credentials.password_size)
        agent.key_password_size = credentials.password_size
    return &agent.key


cdef void forget_nominations(IceAgent *agent) noexcept nogil:
    # after a restart the peer nominates anew; until then what was selected goes on (RFC 8445 section 9)
    cdef int i
    for i in range(agent.pair_count):
        agent.pairs[i].nominated = False


cdef int find_pair(const IceAgent *agent, const Address *remote) noexcept nogil:
    cdef int i
    for i in range(agent.pair_count):
        if address_equal(&agent.pairs[i].remote, remote):
            return i
    return -1


cdef int note_pair(IceAgent *agent, const StunMessage *request, const Address *source, int64_t now_us,
                   Address *removed) noexcept nogil:
    cdef int outcome = 0
    cdef int index = find_pair(agent, source)
    cdef IcePair *pair
    if index < 0:
        if agent.pair_count == ICE_MAX_PAIRS:
            outcome |= ICE_PAIR_REMOVED
            drop_oldest(agent, removed)
        index = agent.pair_count
        agent.pair_count += 1
        memset(&agent.pairs[index], 0, sizeof(IcePair))
        agent.pairs[index].remote = source[0]
        outcome |= ICE_NEW_PAIR
    pair = &agent.pairs[index]
    pair.last_check_us = now_us
    pair.priority = request.priority
    if index != agent.selected and takes_over(agent, pair, request.use_candidate, now_us):
        agent.selected = <int8_t>index
        outcome |= ICE_SELECTED
    if request.use_candidate:
        pair.nominated = True
        pair.last_nominated_us = now_us
    if index == agent.selected:
        agent.consent_until_us = now_us + agent.consent_timeout_us
    return outcome


cdef bint takes_over(const IceAgent *agent, const IcePair *pair, bint nominates, int64_t now_us) noexcept nogil:
    # is this pair, checked just now, to be selected instead of what is? The rules are at the top of the file
    cdef const IcePair *selected
    if agent.selected < 0:
        return nominates
    selected = &agent.pairs[agent.selected]
    if now_us - selected.last_check_us > LOST_US:
        return True
    if not nominates:
        return False
    return (not selected.nominated or pair.priority > selected.priority
            or (pair.priority == selected.priority and not pair.nominated)
            or now_us - selected.last_nominated_us > RENOMINATION_US)


cdef void drop_oldest(IceAgent *agent, Address *removed) noexcept nogil:
    cdef int oldest = -1
    cdef int i
    for i in range(agent.pair_count):
        if i != agent.selected and (oldest < 0 or agent.pairs[i].last_check_us < agent.pairs[oldest].last_check_us):
            oldest = i
    removed[0] = agent.pairs[oldest].remote
    take_out(agent, oldest)


cdef void take_out(IceAgent *agent, int index) noexcept nogil:
    agent.pair_count -= 1
    agent.pairs[index] = agent.pairs[agent.pair_count]
    if agent.selected == agent.pair_count:
        agent.selected = <int8_t>index


# ---- the Python face, for tests

@cython.final
cdef class IceAgentFace:
    """An IceAgent. Addresses are (ip, port, socket_index, connection), the ip as 4 or 16 bytes; the last two may be
    left out on the way in.

    Args:
        ufrag, password: ours.
        consent_timeout_us: how long a check of the selected pair lets us send (RFC 7675).
    """
    cdef IceAgent agent

    def __cinit__(self, bytes ufrag, bytes password, int64_t consent_timeout_us=30000000):
        ice_init(&self.agent, consent_timeout_us)
        set_credentials(&self.agent.local, ufrag, password)

    def restart(self, bytes ufrag, bytes password):
        """New credentials; the old ones count until the new are used."""
        cdef IceCredentials fresh
        set_credentials(&fresh, ufrag, password)
        ice_restart(&self.agent, &fresh)

    def set_remote_ufrag(self, bytes ufrag):
        """Checks of another peer are refused."""
        if len(ufrag) > ICE_UFRAG_MAX:
            raise ValueError("the ufrag is too long")
        memcpy(self.agent.remote_ufrag, <const char *>ufrag, len(ufrag))
        self.agent.remote_ufrag_size = <uint8_t>len(ufrag)

    @property
    def selected(self):
        """The address we send to, None."""
        return None if self.agent.selected < 0 else address_tuple(&self.agent.pairs[self.agent.selected].remote)

    @property
    def pairs(self):
        """All addresses of the peer."""
        return [address_tuple(&self.agent.pairs[i].remote) for i in range(self.agent.pair_count)]

    def has_consent(self, int64_t now_us):
        """Whether we may send."""
        return bool(ice_has_consent(&self.agent, now_us))

    def remove_address(self, tuple address):
        """The way there is gone; True when it was the selected one."""
        cdef Address remote
        set_address(&remote, address)
        return bool(ice_remove_address(&self.agent, &remote))

    def handle(self, bytes data, tuple source, int64_t now_us):
        """(outcome names, response, removed address or None), or a negative Drop code."""
        cdef StunMessage message
        cdef Address remote
        cdef Address removed
        cdef uint8_t response[192]
        cdef int size = 0
        cdef int outcome = stun_parse(&message, <const uint8_t *><const char *>data, <int>len(data))
        set_address(&remote, source)
        if outcome == 0:
            outcome = ice_handle_request(&self.agent, &message, &remote, now_us, response, STUN_RESPONSE_MAX, &size,
                                         &removed)
        if outcome < 0:
            return outcome
        names = ("respond", "new_pair", "selected", "restarted", "pair_removed")
        return ({names[i] for i in range(5) if outcome & (1 << i)}, (<char *>response)[:size],
                address_tuple(&removed) if outcome & ICE_PAIR_REMOVED else None)

    def handle_many(self, list requests, tuple source, int64_t now_us):
        """Parse and handle them in a row as the engine does; the bytes of all responses. For benchmarks."""
        cdef StunMessage message
        cdef Address remote
        cdef Address removed
        cdef uint8_t response[192]
        cdef int size = 0
        cdef int total = 0
        cdef bytes data
        set_address(&remote, source)
        for data in requests:
            if stun_parse(&message, <const uint8_t *><const char *>data, <int>len(data)) == 0:
                ice_handle_request(&self.agent, &message, &remote, now_us, response, STUN_RESPONSE_MAX, &size, &removed)
                total += size
        return total


cdef int set_credentials(IceCredentials *credentials, bytes ufrag, bytes password) except -1:
    if len(ufrag) > ICE_UFRAG_MAX or len(password) > ICE_PASSWORD_MAX:
        raise ValueError("the ufrag or the password is too long")
    memset(credentials, 0, sizeof(IceCredentials))
    memcpy(credentials.ufrag, <const char *>ufrag, len(ufrag))
    memcpy(credentials.password, <const char *>password, len(password))
    credentials.ufrag_size = <uint8_t>len(ufrag)
    credentials.password_size = <uint8_t>len(password)
    return 0


cdef int set_address(Address *address, tuple values) except -1:
    cdef bytes ip
    cdef int port, socket_index, connection
    ip, port, socket_index, connection = values if len(values) == 4 else (*values, 0, 0)
    if len(ip) not in (4, 16):
        raise ValueError("an IP address has 4 or 16 bytes")
    address_set(address, <const uint8_t *><const char *>ip, <int>len(ip), <uint16_t>port)
    address.socket_index = <uint8_t>socket_index
    address.connection = <uint16_t>connection
    return 0


cdef tuple address_tuple(const Address *address):
    cdef bytes ip = (<const char *>address_ip(address))[:4 if address_is_ipv4(address) else 16]
    cdef int port = (address.sockaddr[2] << 8) | address.sockaddr[3]
    return ip, port, address.socket_index, address.connection
