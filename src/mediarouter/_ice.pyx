"""ICE-lite, the answering side of connectivity checks; `_ice.pxd` shows its state.

Theory of operation
A lite agent never checks; it answers, and it believes the controlling peer (RFC 8445 section 2.5). An address is the
peer's once a check from there bore our password. Which of them we send to is the peer's choice, by USE-CANDIDATE. With
aggressive nomination every check carries it, so the higher priority wins (RFC 8445 8.1.1, RFC 5245 8.1.1.2); with
regular nomination there is one. A nomination from an address while the selected one has fallen silent is a client that
moved, and it is followed. Consent is the peer's checks of the selected pair (RFC 7675).
"""

from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcmp, memcpy, memset
from mediarouter._address cimport Address, address_equal
from mediarouter._drop cimport DROP_STUN_INTEGRITY, DROP_STUN_MALFORMED, DROP_STUN_UNEXPECTED, DROP_STUN_UNKNOWN_UFRAG
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
    SILENT_US = 3000000            # a selected pair without a check for so long may be left for a lower one


cdef void ice_init(IceAgent *agent, int64_t consent_timeout_us) noexcept nogil:
    memset(agent, 0, sizeof(IceAgent))
    agent.selected = -1
    agent.consent_timeout_us = consent_timeout_us


cdef void ice_restart(IceAgent *agent, const IceCredentials *fresh) noexcept nogil:
    agent.previous = agent.local
    agent.local = fresh[0]
    agent.remote_ufrag_size = 0


cdef bint ice_has_consent(const IceAgent *agent, int64_t now_us) noexcept nogil:
    return agent.selected >= 0 and now_us < agent.consent_until_us


cdef inline bint is_for(const IceCredentials *credentials, const StunMessage *request) noexcept nogil:
    # USERNAME is our ufrag, a colon, the peer's (RFC 8445 7.2.2)
    return (credentials.ufrag_size > 0 and request.username_size > credentials.ufrag_size
            and request.username[credentials.ufrag_size] == 58
            and memcmp(request.username, credentials.ufrag, credentials.ufrag_size) == 0)


cdef inline bint is_from_peer(const IceAgent *agent, const StunMessage *request) noexcept nogil:
    cdef int ours = agent.local.ufrag_size + 1
    return (agent.remote_ufrag_size == 0
            or (request.username_size == ours + agent.remote_ufrag_size
                and memcmp(request.username + ours, agent.remote_ufrag, agent.remote_ufrag_size) == 0))


cdef int ice_handle_request(IceAgent *agent, const StunMessage *request, const Address *source, int64_t now_us,
                            uint8_t *response, int capacity, int *response_size, Address *removed) noexcept nogil:
    cdef const IceCredentials *credentials = &agent.local
    cdef int outcome = 0
    response_size[0] = 0
    if request.message_type == STUN_BINDING_INDICATION:
        return 0                   # a keepalive: it proves nothing
    if request.message_type != STUN_BINDING_REQUEST:
        return DROP_STUN_UNEXPECTED
    if request.username == NULL:
        return DROP_STUN_MALFORMED
    if is_for(&agent.previous, request):
        credentials = &agent.previous
    elif not is_for(&agent.local, request) or not is_from_peer(agent, request):
        return DROP_STUN_UNKNOWN_UFRAG
    if not stun_check_integrity(request, credentials.password, credentials.password_size):
        return DROP_STUN_INTEGRITY
    if request.unknown_attribute:
        return refuse(request, 420, credentials, response, capacity, response_size)
    if request.ice_controlled:
        # whoever meets a lite agent is controlling (RFC 8445 6.1.1)
        return refuse(request, 487, credentials, response, capacity, response_size)
    if credentials == &agent.local and agent.previous.ufrag_size:
        memset(&agent.previous, 0, sizeof(IceCredentials))
        outcome = ICE_RESTARTED
        forget_nominations(agent)
    outcome |= note_pair(agent, request, source, now_us, removed)
    response_size[0] = stun_write_binding_response(response, capacity, request, source, credentials.password,
                                                   credentials.password_size)
    return outcome | ICE_RESPOND


cdef int refuse(const StunMessage *request, int code, const IceCredentials *credentials, uint8_t *response,
                int capacity, int *response_size) noexcept nogil:
    response_size[0] = stun_write_error_response(response, capacity, request, code, credentials.password,
                                                 credentials.password_size)
    return ICE_RESPOND


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
    if index < 0:
        if agent.pair_count == ICE_MAX_PAIRS:
            outcome |= ICE_PAIR_REMOVED
            removed[0] = drop_oldest(agent)
        index = agent.pair_count
        agent.pair_count += 1
        memset(&agent.pairs[index], 0, sizeof(IcePair))
        agent.pairs[index].remote = source[0]
        outcome |= ICE_NEW_PAIR
    agent.pairs[index].last_check_us = now_us
    agent.pairs[index].priority = request.priority
    if request.use_candidate:
        agent.pairs[index].nominated = True
        if prefers(agent, index, now_us):
            agent.selected = <int8_t>index
            outcome |= ICE_SELECTED
    if index == agent.selected:
        agent.consent_until_us = now_us + agent.consent_timeout_us
    return outcome


cdef bint prefers(const IceAgent *agent, int index, int64_t now_us) noexcept nogil:
    # is this nominated pair to be selected instead of what is?
    cdef const IcePair *pair = &agent.pairs[index]
    cdef const IcePair *selected
    if agent.selected < 0:
        return True
    if agent.selected == index:
        return False
    selected = &agent.pairs[agent.selected]
    return (not selected.nominated or pair.priority > selected.priority
            or now_us - selected.last_check_us > SILENT_US)


cdef Address drop_oldest(IceAgent *agent) noexcept nogil:
    cdef int oldest = -1
    cdef int i
    for i in range(agent.pair_count):
        if i != agent.selected and (oldest < 0 or agent.pairs[i].last_check_us < agent.pairs[oldest].last_check_us):
            oldest = i
    cdef Address remote = agent.pairs[oldest].remote
    take_out(agent, oldest)
    return remote


cdef void take_out(IceAgent *agent, int index) noexcept nogil:
    agent.pair_count -= 1
    agent.pairs[index] = agent.pairs[agent.pair_count]
    if agent.selected == agent.pair_count:
        agent.selected = <int8_t>index


cdef bint ice_remove_address(IceAgent *agent, const Address *remote) noexcept nogil:
    cdef int index = find_pair(agent, remote)
    cdef int best = -1
    cdef int i
    if index < 0:
        return False
    if index != agent.selected:
        take_out(agent, index)
        return False
    agent.selected = -1
    take_out(agent, index)
    for i in range(agent.pair_count):
        if agent.pairs[i].nominated and (best < 0 or agent.pairs[i].last_check_us > agent.pairs[best].last_check_us):
            best = i
    agent.selected = <int8_t>best
    return True


cdef class IceAgentFace:
    """An IceAgent for tests: addresses are (IPv4 as bytes, port).

    Args:
        ufrag, password: ours.
        consent_timeout_us: how long a check of the selected pair lets us send (RFC 7675).
    """
    cdef IceAgent agent

    def __cinit__(self, bytes ufrag, bytes password, int64_t consent_timeout_us=30000000):
        ice_init(&self.agent, consent_timeout_us)
        self.agent.local = credentials_of(ufrag, password)

    def restart(self, bytes ufrag, bytes password):
        """New credentials; the old ones count until the new are used."""
        cdef IceCredentials fresh = credentials_of(ufrag, password)
        ice_restart(&self.agent, &fresh)

    def set_remote_ufrag(self, bytes ufrag):
        """Checks of another peer are refused."""
        memcpy(self.agent.remote_ufrag, <const char *>ufrag, len(ufrag))
        self.agent.remote_ufrag_size = <uint8_t>len(ufrag)

    @property
    def selected(self):
        """(ip, port) we send to, None."""
        return None if self.agent.selected < 0 else address_tuple(&self.agent.pairs[self.agent.selected].remote)

    @property
    def pair_count(self):
        """Addresses of the peer."""
        return self.agent.pair_count

    def has_consent(self, int64_t now_us):
        """Whether we may send."""
        return bool(ice_has_consent(&self.agent, now_us))

    def remove_address(self, bytes ip, int port):
        """The way there is gone; True when it was the selected one."""
        cdef Address remote = address_from(ip, port)
        return bool(ice_remove_address(&self.agent, &remote))

    def handle(self, bytes data, bytes ip, int port, int64_t now_us):
        """(outcome names, response bytes, removed address), or a negative Drop code."""
        cdef StunMessage message
        cdef Address source = address_from(ip, port)
        cdef Address removed
        cdef uint8_t response[256]
        cdef int size = 0
        cdef int outcome = stun_parse(&message, <const uint8_t *><const char *>data, <int>len(data))
        memset(&removed, 0, sizeof(removed))
        if outcome == 0:
            outcome = ice_handle_request(&self.agent, &message, &source, now_us, response, sizeof(response), &size,
                                         &removed)
        if outcome < 0:
            return outcome
        names = ("respond", "new_pair", "selected", "restarted", "pair_removed")
        return ({names[i] for i in range(5) if outcome & (1 << i)}, (<char *>response)[:size],
                address_tuple(&removed) if outcome & ICE_PAIR_REMOVED else None)


cdef IceCredentials credentials_of(bytes ufrag, bytes password):
    cdef IceCredentials credentials
    memset(&credentials, 0, sizeof(credentials))
    memcpy(credentials.ufrag, <const char *>ufrag, len(ufrag))
    memcpy(credentials.password, <const char *>password, len(password))
    credentials.ufrag_size = <uint8_t>len(ufrag)
    credentials.password_size = <uint8_t>len(password)
    return credentials


cdef Address address_from(bytes ip, int port):
    cdef Address address
    memset(&address, 0, sizeof(address))
    address.sockaddr[0] = 2
    address.sockaddr[2] = <uint8_t>(port >> 8)
    address.sockaddr[3] = <uint8_t>(port & 0xFF)
    memcpy(address.sockaddr + 4, <const char *>ip, 4)
    address.sockaddr_size = 16
    return address


cdef tuple address_tuple(const Address *address):
    return (<const char *>address.sockaddr)[4:8], (address.sockaddr[2] << 8) | address.sockaddr[3]
