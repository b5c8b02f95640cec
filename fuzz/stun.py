"""The STUN parser, and ICE-lite behind it, by the faces that tests have."""

import hmac
import json
import struct
import zlib
from pathlib import Path

from mediarouter import _ice, _stun

EVERY = 100  # of the inputs in C that come here, one of so many
UFRAG, PASSWORD = b"evtj", b"VOkJxbRl1RmTxUk/WvJxBt"
VECTORS = Path(__file__).parents[1] / "tests" / "vectors" / "stun_rfc.json"


def seeds() -> list[bytes]:
    """The vectors of the RFCs, and one message of every attribute that means something."""
    vectors = [bytes.fromhex(vector["hex"]) for vector in json.loads(VECTORS.read_text()).values()]
    of_ice = bytes.fromhex("002400040102030400250000802a00080000000000000001")
    return [*vectors, signed(of_ice), of_ice]


def signed(attributes: bytes) -> bytes:
    """A check of our agent that is authentic, with these attributes in the middle, whatever they are."""
    body = struct.pack("!HH", 6, 9) + UFRAG + b":h6vY" + bytes(3) + attributes + bytes(-len(attributes) % 4)
    head = struct.pack("!HHI", 1, len(body) + 24, 0x2112A442) + bytes(12)
    body += struct.pack("!HH", 8, 20) + hmac.digest(PASSWORD, head + body, "sha1")
    head = struct.pack("!HHI", 1, len(body) + 8, 0x2112A442) + bytes(12)
    return head + body + struct.pack("!HHI", 0x8028, 4, zlib.crc32(head + body) ^ 0x5354554E)


def fuzz_one(data: bytes) -> tuple[int, int]:
    """No input may harm; what is read must be consistent."""
    ufrag = _stun.peek_ufrag(data)
    parsed = _stun.parse(data, PASSWORD)
    assert isinstance(parsed, int) or parsed["username"] is None or len(parsed["username"]) <= 513
    if isinstance(ufrag, bytes) and isinstance(parsed, dict) and parsed["username"] is not None:
        assert parsed["username"].split(b":")[0] == ufrag
    answer(data, parsed)
    return isinstance(parsed, dict), isinstance(parsed, int)


def answer(message: bytes, parsed: object) -> None:
    agent = _ice.IceAgentFace(UFRAG, PASSWORD)
    result = agent.handle(message, (b"\x7f\x00\x00\x01", 9), 1_000_000)
    if isinstance(parsed, int):
        assert result == parsed
    elif isinstance(result, tuple):
        _, response, _ = result
        if response:
            reply = _stun.parse(response, PASSWORD)
            assert isinstance(reply, dict) and reply["integrity"] and reply["fingerprint"]
            assert response[8:20] == message[8:20]
            # an answer to who proved nothing would be a gift to reflectors
            assert isinstance(parsed, dict) and parsed["integrity"]


SEEDS = seeds()
