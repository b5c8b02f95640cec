"""Checks are what aioice's own parser takes for checks, and what our agent answers."""

import pytest
from aioice import stun

from mediarouter._ice import IceAgentFace
from mediarouter.testing.checks import binding_request

PASSWORD = b"a-password-of-24-letters"


@pytest.mark.parametrize("nominate", [True, False])
@pytest.mark.parametrize("controlled", [True, False])
def test_another_implementation_reads_it(nominate, controlled):
    data = binding_request(b"ours:theirs", PASSWORD, nominate=nominate, priority=77, controlled=controlled)
    message = stun.parse_message(data)
    message.check_message_integrity(PASSWORD)
    assert (message.message_method, message.message_class) == (stun.Method.BINDING, stun.Class.REQUEST)
    assert message.attributes["USERNAME"] == "ours:theirs"
    assert message.attributes["PRIORITY"] == 77
    assert ("USE-CANDIDATE" in message.attributes) == nominate
    assert ("ICE-CONTROLLED" in message.attributes) == controlled
    assert ("ICE-CONTROLLING" in message.attributes) != controlled


def test_an_agent_answers_it():
    agent = IceAgentFace(b"ours", PASSWORD)
    done, response, _ = agent.handle(binding_request(b"ours:theirs", PASSWORD), (b"\x7f\0\0\1", 9), 1)
    assert "selected" in done and response
    assert agent.handle(binding_request(b"ours:theirs", b"a-password-of-others"), (b"\x7f\0\0\1", 9), 2) < 0


def test_the_same_arguments_give_the_same_bytes():
    assert binding_request(b"a:b", b"c") == binding_request(b"a:b", b"c")
    assert binding_request(b"a:b", b"c") != binding_request(b"a:d", b"c")
