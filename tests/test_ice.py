"""ICE-lite: nomination, moving addresses, restarts, consent; sans-IO and in virtual time. aioice is the other side."""

import asyncio
import ipaddress
from typing import Any

import aioice
import pytest
from aioice import stun as aioice_stun
from aioice.ice import StunProtocol
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter import _drop, _stun
from mediarouter._ice import IceAgentFace

SECOND = 1_000_000
UFRAG, PASSWORD = "AAAB2345abcd", "0123456789abcdefghijklmn"
FRESH_UFRAG, FRESH_PASSWORD = "AAAB7654efgh", "nmlkjihgfedcba9876543210"
REMOTE_UFRAG = "wxyz"
HOST, REFLEXIVE, RELAYED = 2130706431, 1694498815, 16777215  # priorities of candidates (RFC 8445 5.1.2)


def at(last: int, port: int = 5000) -> tuple[bytes, int, int, int]:
    """The address 192.0.2.`last`."""
    return bytes((192, 0, 2, last)), port, 0, 0


A, B, C = at(1), at(2), at(3)


def check(
    *,
    nominate: bool = False,
    priority: int = HOST,
    restarted: bool = False,
    remote_ufrag: str = REMOTE_UFRAG,
    **more: Any,
) -> bytes:
    """What a controlling peer sends."""
    ufrag, password = (FRESH_UFRAG, FRESH_PASSWORD) if restarted else (UFRAG, PASSWORD)
    attributes: dict[str, Any] = {"USERNAME": f"{ufrag}:{remote_ufrag}", "PRIORITY": priority, "ICE-CONTROLLING": 7}
    attributes |= {name.replace("_", "-"): value for name, value in more.items()}
    attributes = {name: value for name, value in attributes.items() if value is not ...}
    if nominate:
        attributes["USE-CANDIDATE"] = None
    message = aioice_stun.Message(aioice_stun.Method.BINDING, aioice_stun.Class.REQUEST, attributes=attributes)
    message.add_message_integrity(password.encode())
    return bytes(message)


class Agent:
    """The agent with a clock and short words."""

    def __init__(self, **settings: Any) -> None:
        self.face = IceAgentFace(UFRAG.encode(), PASSWORD.encode(), **settings)
        self.now_us = 1_000 * SECOND

    def take(self, source: tuple[bytes, int, int, int], after_us: int = 0, **fields: Any) -> set[str]:
        """Handle a check; the names of what it brought."""
        self.now_us += after_us
        result = self.face.handle(check(**fields), source, self.now_us)
        assert isinstance(result, tuple), drop(result)
        assert "respond" in result[0]
        return result[0] - {"respond"}

    def refused(self, data: bytes, source: tuple[bytes, int, int, int] = A) -> str:
        before = (self.face.selected, self.face.pairs)
        result = self.face.handle(data, source, self.now_us)
        assert (self.face.selected, self.face.pairs) == before
        return drop(result)

    def answered(self, data: bytes, source: tuple[bytes, int, int, int] = A) -> aioice_stun.Message:
        result = self.face.handle(data, source, self.now_us)
        assert isinstance(result, tuple), drop(result)
        return aioice_stun.parse_message(result[1])

    def restart(self) -> None:
        self.face.restart(FRESH_UFRAG.encode(), FRESH_PASSWORD.encode())

    @property
    def consent(self) -> bool:
        return self.face.has_consent(self.now_us)


def drop(result: Any) -> str:
    assert isinstance(result, int) and result < 0, result
    return _drop.NAMES[-result]


@pytest.fixture
def agent() -> Agent:
    return Agent()


# ---- answers


def test_a_check_is_answered_with_the_address_it_came_from(agent: Agent) -> None:
    message = agent.answered(check(), at(77, 4242))
    assert message.message_class == aioice_stun.Class.RESPONSE
    assert message.attributes["XOR-MAPPED-ADDRESS"] == ("192.0.2.77", 4242)
    assert message.check_message_integrity(PASSWORD.encode())


def test_an_ipv6_check_too(agent: Agent) -> None:
    ip = ipaddress.ip_address("2001:db8::7")
    message = agent.answered(check(nominate=True), (ip.packed, 4242, 1, 0))
    assert message.attributes["XOR-MAPPED-ADDRESS"] == ("2001:db8::7", 4242)
    assert agent.face.selected == (ip.packed, 4242, 1, 0)


def test_checks_without_priority_or_role_are_taken(agent: Agent) -> None:
    # FFmpeg's WHIP muxer sends neither in its first releases
    assert agent.take(A, nominate=True, PRIORITY=..., ICE_CONTROLLING=...) == {"new_pair", "selected"}


def test_an_indication_proves_nothing(agent: Agent) -> None:
    message = aioice_stun.Message(
        aioice_stun.Method.BINDING, aioice_stun.Class.INDICATION, attributes={"USERNAME": f"{UFRAG}:{REMOTE_UFRAG}"}
    )
    assert agent.face.handle(bytes(message), A, 0) == (set(), b"", None)
    assert agent.face.pairs == []


@pytest.mark.parametrize("kind", [aioice_stun.Class.RESPONSE, aioice_stun.Class.ERROR])
def test_a_response_is_unexpected(agent: Agent, kind: aioice_stun.Class) -> None:
    message = aioice_stun.Message(aioice_stun.Method.BINDING, kind, attributes={"USERNAME": f"{UFRAG}:{REMOTE_UFRAG}"})
    message.add_message_integrity(PASSWORD.encode())
    assert agent.refused(bytes(message)) == "stun_unexpected"


def test_a_wrong_password_changes_nothing_and_is_not_answered(agent: Agent) -> None:
    agent.take(A, nominate=True)
    message = aioice_stun.parse_message(check(nominate=True))
    message.add_message_integrity(b"guess")
    assert agent.refused(bytes(message), B) == "stun_integrity"
    assert agent.refused(bytes(message), A) == "stun_integrity"


def test_a_check_without_integrity_is_refused(agent: Agent) -> None:
    message = aioice_stun.parse_message(check(nominate=True))
    del message.attributes["MESSAGE-INTEGRITY"]
    message.add_fingerprint()
    assert agent.refused(bytes(message)) == "stun_integrity"


@pytest.mark.parametrize(
    "username", ["AAAB2345abc:wxyz", "AAAB2345abcde:wxyz", "AAAB2345abcd", "AAAB2345abcdwxyz:", ":", ""]
)
def test_r24_an_unknown_ufrag_is_refused(agent: Agent, username: str) -> None:
    assert agent.refused(check(USERNAME=username)) == "stun_unknown_ufrag"


def test_the_peers_ufrag_must_be_the_signalled_one(agent: Agent) -> None:
    agent.face.set_remote_ufrag(REMOTE_UFRAG.encode())
    assert agent.refused(check(remote_ufrag="wxyy")) == "stun_unknown_ufrag"
    assert agent.refused(check(remote_ufrag="wxy")) == "stun_unknown_ufrag"
    assert agent.refused(check(remote_ufrag="wxyzz")) == "stun_unknown_ufrag"
    assert agent.take(A) == {"new_pair"}


def test_an_agent_without_credentials_answers_nobody() -> None:
    face = IceAgentFace(b"", b"")
    for username in (":", ":wxyz", ""):
        message = aioice_stun.parse_message(check(USERNAME=username))
        message.add_message_integrity(b"")
        assert drop(face.handle(bytes(message), A, 0)) == "stun_unknown_ufrag"


def test_a_required_attribute_that_is_unknown_is_error_420(agent: Agent) -> None:
    # 0x0026 and 0x4002 must be understood; the request is authentic, yet it counts for nothing
    message = check(nominate=True)
    body = message[20:-32] + bytes.fromhex("00260004000000004002000101000000")
    head = message[:2] + (len(body) + 24).to_bytes(2, "big") + message[4:20]
    signed = aioice_stun.message_integrity(head + body, PASSWORD.encode())
    request = head + body + bytes.fromhex("00080014") + signed
    error = agent.face.handle(request, A, agent.now_us)
    assert isinstance(error, tuple) and error[0] == {"respond"}
    assert aioice_stun.parse_message(error[1]).error_code == 420
    assert bytes.fromhex("000a000400264002") in error[1]
    assert agent.face.pairs == [] and not agent.consent


def test_a_peer_that_claims_to_be_controlled_is_told_of_the_conflict(agent: Agent) -> None:
    conflict = check(ICE_CONTROLLING=..., ICE_CONTROLLED=2**64 - 1)
    answer = agent.answered(conflict)
    assert answer.error_code == 487
    assert answer.check_message_integrity(PASSWORD.encode())
    assert agent.face.pairs == [] and agent.face.selected is None


def test_a_role_conflict_needs_the_password_too(agent: Agent) -> None:
    message = aioice_stun.parse_message(check(ICE_CONTROLLING=..., ICE_CONTROLLED=1))
    message.add_message_integrity(b"guess")
    assert agent.refused(bytes(message)) == "stun_integrity"


# ---- nomination


def test_regular_nomination(agent: Agent) -> None:
    assert agent.take(A, priority=REFLEXIVE) == {"new_pair"}
    assert agent.take(B, priority=HOST) == {"new_pair"}
    assert agent.face.selected is None and not agent.consent
    assert agent.take(A, priority=REFLEXIVE, nominate=True) == {"selected"}
    assert agent.face.selected == A and agent.consent
    # checks of the others go on: the choice stands
    for _ in range(20):
        assert agent.take(B, after_us=2 * SECOND, priority=HOST) == set()
        assert agent.take(A, after_us=SECOND, priority=REFLEXIVE) == set()
    assert agent.face.selected == A


@pytest.mark.parametrize("order", [(A, B, C), (C, B, A), (B, C, A)])
def test_aggressive_nomination_takes_the_highest_priority_in_any_order(agent: Agent, order: Any) -> None:
    priorities = {A: HOST, B: REFLEXIVE, C: RELAYED}
    moves = 0
    for turn in range(10):
        for source in order:
            moves += "selected" in agent.take(source, after_us=20_000, priority=priorities[source], nominate=True)
            if turn:
                assert agent.face.selected == A
    assert moves <= 3


def test_aggressive_nomination_with_equal_priorities_does_not_move_to_and_fro(agent: Agent) -> None:
    selected = ["selected" in agent.take((A, B)[i % 2], after_us=SECOND, nominate=True) for i in range(40)]
    assert selected == [True, True] + [False] * 38


def test_a_newer_nomination_of_lower_priority_wins_when_the_old_is_not_repeated(agent: Agent) -> None:
    # libwebrtc leaves Wi-Fi for the cellular network, and still checks the old pair for a while
    agent.take(A, priority=HOST, nominate=True)
    assert "selected" not in agent.take(B, after_us=SECOND, priority=RELAYED, nominate=True)
    assert agent.take(A, after_us=SECOND, priority=HOST) == set()
    assert agent.take(B, after_us=2 * SECOND, priority=RELAYED, nominate=True) == {"selected"}
    assert agent.take(A, after_us=SECOND, priority=HOST) == set()
    assert agent.face.selected == B


def test_a_nominated_check_from_a_new_address_of_the_same_candidate_is_followed_at_once(agent: Agent) -> None:
    # the NAT gave it another port
    agent.take(at(1, 5000), nominate=True)
    assert agent.take(at(1, 5001), after_us=10_000, nominate=True) == {"new_pair", "selected"}
    assert agent.face.selected == at(1, 5001)
    # a late one by the old mapping does not bring it back
    assert agent.take(at(1, 5000), after_us=10_000, nominate=True) == set()


def test_a_new_address_without_the_password_is_never_followed(agent: Agent) -> None:
    agent.take(A, nominate=True)
    agent.now_us += 20 * SECOND
    message = aioice_stun.parse_message(check(nominate=True))
    message.add_message_integrity(b"guess")
    assert agent.refused(bytes(message), B) == "stun_integrity"
    assert agent.face.selected == A


def test_a_peer_done_with_nominating_is_followed_when_its_old_address_falls_silent(agent: Agent) -> None:
    # regular nomination happens once: after a NAT rebinding its checks come from elsewhere, without USE-CANDIDATE
    agent.take(A, nominate=True)
    assert agent.take(A, after_us=5 * SECOND) == set()
    assert agent.take(B, after_us=5 * SECOND) == {"new_pair"}
    assert agent.face.selected == A
    assert agent.take(B, after_us=5 * SECOND) == {"selected"}
    assert agent.face.selected == B and agent.consent


def test_consent_checks_at_the_longest_interval_are_no_silence(agent: Agent) -> None:
    agent.take(A, nominate=True)
    for _ in range(20):
        assert "selected" not in agent.take(B, after_us=3 * SECOND)
        assert agent.take(A, after_us=3 * SECOND) == set()  # every 6 s: RFC 7675 5.1
    assert agent.face.selected == A


# ---- many addresses


def test_pairs_are_bounded_and_the_oldest_unselected_goes(agent: Agent) -> None:
    agent.take(at(0), nominate=True)
    for i in range(1, 8):
        assert agent.take(at(i), after_us=1000) == {"new_pair"}
    result = agent.face.handle(check(), at(8), agent.now_us + 1000)
    assert isinstance(result, tuple)
    assert result[0] == {"respond", "new_pair", "pair_removed"} and result[2] == at(1)
    assert len(agent.face.pairs) == 8
    assert agent.face.selected == at(0)


def test_the_selected_pair_survives_any_number_of_addresses(agent: Agent) -> None:
    agent.take(at(0), nominate=True)
    for i in range(1, 200):
        agent.take(at(i), after_us=1000)
        assert len(agent.face.pairs) <= 8 and agent.face.selected == at(0)


def test_the_same_address_on_another_socket_or_connection_is_another_pair(agent: Agent) -> None:
    ip, port = A[:2]
    for source in ((ip, port, 0, 0), (ip, port, 1, 0), (ip, port, 0, 3)):
        assert "new_pair" in agent.take(source)
    assert len(agent.face.pairs) == 3


def test_a_closed_connection_leaves_the_next_nominated_pair(agent: Agent) -> None:
    agent.take(A, priority=HOST, nominate=True)
    agent.take(B, after_us=SECOND, priority=RELAYED, nominate=True)
    agent.take(C, after_us=SECOND)
    assert agent.face.remove_address(A)
    assert agent.face.selected == B and agent.face.pairs == [C, B]
    # by its own last check, not by those of the pair that is gone
    assert agent.face.has_consent(agent.now_us + 28 * SECOND)
    assert not agent.face.has_consent(agent.now_us + 29 * SECOND)


def test_a_closed_connection_of_an_unselected_pair_changes_nothing(agent: Agent) -> None:
    for source in (C, A, B):
        agent.take(source, nominate=source == A)
    assert not agent.face.remove_address(C)
    assert not agent.face.remove_address(C)
    assert agent.face.selected == A and agent.face.pairs == [B, A]


def test_the_last_pair_removed_ends_consent(agent: Agent) -> None:
    agent.take(A, nominate=True)
    agent.take(B)
    assert agent.face.remove_address(A)
    assert agent.face.selected is None and not agent.consent
    assert agent.take(B, nominate=True) == {"selected"}


# ---- consent


def test_r24_consent_lapses_30_s_after_the_last_check(agent: Agent) -> None:
    agent.take(A, nominate=True)
    assert agent.face.has_consent(agent.now_us + 30 * SECOND - 1)
    assert not agent.face.has_consent(agent.now_us + 30 * SECOND)


def test_any_authentic_check_of_the_selected_pair_renews_consent(agent: Agent) -> None:
    agent.take(A, nominate=True)
    for _ in range(10):
        agent.take(A, after_us=29 * SECOND)
        assert agent.face.has_consent(agent.now_us + 29 * SECOND)


def test_checks_of_other_pairs_do_not_renew_consent(agent: Agent) -> None:
    start_us = agent.now_us
    agent.take(A, nominate=True)
    agent.take(B, after_us=7 * SECOND)
    agent.now_us = start_us + 30 * SECOND
    assert agent.face.selected == A and not agent.consent


def test_refused_checks_do_not_renew_consent(agent: Agent) -> None:
    agent.take(A, nominate=True)
    agent.now_us += 29 * SECOND
    agent.answered(check(ICE_CONTROLLING=..., ICE_CONTROLLED=1))
    message = aioice_stun.parse_message(check())
    message.add_message_integrity(b"guess")
    agent.refused(bytes(message))
    agent.now_us += SECOND
    assert not agent.consent


def test_consent_comes_back_with_the_next_check(agent: Agent) -> None:
    agent.take(A, nominate=True)
    agent.now_us += 60 * SECOND
    assert not agent.consent
    assert agent.take(A) == set()
    assert agent.consent


def test_the_timeout_can_be_set() -> None:
    agent = Agent(consent_timeout_us=5 * SECOND)
    agent.take(A, nominate=True)
    assert agent.face.has_consent(agent.now_us + 5 * SECOND - 1)
    assert not agent.face.has_consent(agent.now_us + 5 * SECOND)


# ---- restart


def test_a_restart_takes_old_and_new_credentials_until_the_new_are_used(agent: Agent) -> None:
    agent.face.set_remote_ufrag(REMOTE_UFRAG.encode())
    agent.take(A, nominate=True)
    agent.restart()
    assert agent.face.selected == A and agent.consent
    for _ in range(3):
        assert agent.take(A, after_us=5 * SECOND) == set()
    answer = agent.face.handle(check(restarted=True, remote_ufrag="new1"), B, agent.now_us)
    assert isinstance(answer, tuple) and answer[0] == {"respond", "restarted", "new_pair"}
    assert aioice_stun.parse_message(answer[1]).check_message_integrity(FRESH_PASSWORD.encode())
    assert agent.refused(check()) == "stun_unknown_ufrag"
    assert agent.take(B, restarted=True) == set()


def test_after_a_restart_any_nomination_wins_and_the_old_path_goes_on_until_then(agent: Agent) -> None:
    agent.take(A, priority=HOST, nominate=True)
    agent.restart()
    assert agent.take(B, restarted=True, priority=RELAYED) == {"restarted", "new_pair"}
    assert agent.face.selected == A and agent.consent
    assert agent.take(B, restarted=True, priority=RELAYED, nominate=True) == {"selected"}
    assert agent.face.selected == B


def test_new_credentials_with_the_old_password_prove_nothing(agent: Agent) -> None:
    agent.take(A, nominate=True)
    agent.restart()
    message = aioice_stun.parse_message(check(restarted=True))
    message.add_message_integrity(PASSWORD.encode())
    assert agent.refused(bytes(message)) == "stun_integrity"
    message = aioice_stun.parse_message(check())
    message.add_message_integrity(FRESH_PASSWORD.encode())
    assert agent.refused(bytes(message)) == "stun_integrity"
    assert agent.take(A) == set()


def test_a_second_restart_before_the_first_is_used_keeps_what_is_in_use(agent: Agent) -> None:
    agent.take(A, nominate=True)
    agent.face.restart(b"AAABunused", b"never" * 5)
    agent.restart()
    assert agent.take(A) == set()
    assert agent.take(A, restarted=True) == {"restarted"}
    assert agent.refused(check()) == "stun_unknown_ufrag"


def test_a_restart_can_follow_a_restart(agent: Agent) -> None:
    agent.take(A, nominate=True)
    agent.restart()
    assert agent.take(A, restarted=True, nominate=True) == {"restarted"}
    agent.face.restart(UFRAG.encode(), PASSWORD.encode())
    assert agent.take(A, restarted=True) == set()
    assert agent.take(A) == {"restarted"}
    assert agent.refused(check(restarted=True)) == "stun_unknown_ufrag"


# ---- the whole state machine of another implementation


class Wire(asyncio.DatagramTransport):
    """Carries what aioice sends straight into the agent, and the answer back. No socket."""

    def __init__(self, agent: Agent, source: tuple[str, int]) -> None:
        super().__init__()
        self.agent = agent
        self.source = source
        self.protocol: StunProtocol
        self.outcomes: list[set[str]] = []

    def sendto(self, data: Any, addr: Any = None) -> None:
        source = (ipaddress.ip_address(self.source[0]).packed, self.source[1], 0, 0)
        result = self.agent.face.handle(bytes(data), source, self.agent.now_us)
        assert isinstance(result, tuple), drop(result)
        self.outcomes.append(result[0])
        asyncio.get_running_loop().call_soon(self.protocol.datagram_received, result[1], addr)

    def close(self) -> None:
        self.protocol.connection_lost(None)


def candidate(host: str, port: int, priority: int = HOST) -> aioice.Candidate:
    return aioice.Candidate(
        foundation="1", component=1, transport="udp", priority=priority, host=host, port=port, type="host"
    )


def connection_over(wires: list[Wire], *, ice_controlling: bool, remote_is_lite: bool) -> aioice.Connection:
    """An aioice connection whose candidates have been gathered already: one a wire."""
    connection = aioice.Connection(ice_controlling=ice_controlling)
    connection.remote_is_lite = remote_is_lite
    connection.remote_username, connection.remote_password = UFRAG, PASSWORD
    for wire in wires:
        wire.protocol = StunProtocol(connection)
        wire.protocol.connection_made(wire)
        wire.protocol.local_candidate = candidate(*wire.source)
        connection._protocols.append(wire.protocol)
        connection._local_candidates.append(wire.protocol.local_candidate)
    connection._local_candidates_start = connection._local_candidates_end = True
    return connection


@pytest.mark.parametrize("remote_is_lite", [True, False], ids=["regular", "aggressive"])
@pytest.mark.parametrize("ice_controlling", [True, False], ids=["controlling", "role conflict"])
@pytest.mark.parametrize("hosts", [["192.0.2.1"], ["192.0.2.1", "192.0.2.2"], ["2001:db8::1"]])
def test_aioice_connects(agent: Agent, hosts: list[str], ice_controlling: bool, remote_is_lite: bool) -> None:
    async def connect() -> None:
        wires = [Wire(agent, (host, 5000)) for host in hosts]
        connection = connection_over(wires, ice_controlling=ice_controlling, remote_is_lite=remote_is_lite)
        six = ":" in hosts[0]
        await connection.add_remote_candidate(candidate("2001:db8::99" if six else "203.0.113.7", 3478))
        await connection.add_remote_candidate(None)
        await connection.connect()
        nominated = connection._nominated[1].local_addr
        assert connection.ice_controlling
        await connection.close()
        # it sends by the pair that it nominated, and we answer there
        assert agent.face.selected == (ipaddress.ip_address(nominated[0]).packed, nominated[1], 0, 0)
        assert sum("new_pair" in outcome for wire in wires for outcome in wire.outcomes) == len(agent.face.pairs)

    asyncio.run(connect())
    assert agent.consent


# ---- malice


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["check", "restart", "remove", "wait"]),
            st.integers(0, 11),
            st.booleans(),
            st.booleans(),
            st.sampled_from([HOST, REFLEXIVE, RELAYED]),
        ),
        max_size=60,
    )
)
def test_whatever_comes_the_selected_pair_is_one_of_the_pairs(steps: list[tuple[str, int, bool, bool, int]]) -> None:
    agent = Agent()
    for what, last, nominate, restarted, priority in steps:
        agent.now_us += 100_000
        if what == "check":
            data = check(nominate=nominate, restarted=restarted, priority=priority)
            result = agent.face.handle(data, at(last), agent.now_us)
            assert isinstance(result, tuple) or drop(result) == "stun_unknown_ufrag"
        elif what == "restart":
            agent.restart()
        elif what == "remove":
            agent.face.remove_address(at(last))
        else:
            agent.now_us += 4 * SECOND
        pairs, selected = agent.face.pairs, agent.face.selected
        assert len(set(pairs)) == len(pairs) <= 8
        assert selected is None or selected in pairs
        assert selected is not None or not agent.consent


def test_truncated_and_flipped_checks_change_nothing(agent: Agent) -> None:
    agent.take(A, nominate=True)
    data = check(nominate=True)
    for size in range(len(data)):
        assert agent.refused(data[:size], B) == "stun_malformed"
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        result = agent.face.handle(bytes(flipped), B, agent.now_us)
        # a fingerprint that became another optional attribute is none: the integrity was right, so it counts
        if isinstance(result, tuple):
            assert isinstance(_stun.parse(bytes(flipped)), dict) and bit // 8 in range(len(data) - 8, len(data) - 6)
            agent.face.remove_address(B)
            agent.take(A, after_us=9 * SECOND, nominate=True)
    assert agent.face.selected == A
