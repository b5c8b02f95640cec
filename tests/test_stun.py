"""STUN against the vectors of RFC 5769 and RFC 8489, against aioice in both directions, and against malice."""

import hashlib
import ipaddress
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from aioice import stun as aioice_stun
from fuzz import stun as fuzz_stun
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter import _drop, _stun

VECTORS: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "vectors" / "stun_rfc.json").read_text())
UFRAG, PASSWORD, REMOTE_UFRAG = "AAAB2345abcd", "0123456789abcdefghijklmn", "wxyz"


def vector(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name]["hex"])


def password_of(name: str) -> bytes:
    return VECTORS[name]["password"].encode()


def drop(result: Any) -> str:
    """The counter that a refused message raises."""
    assert isinstance(result, int) and result < 0, result
    return _drop.NAMES[-result]


def check(password: str = PASSWORD, *, fingerprint: bool = True, **attributes: Any) -> bytes:
    """A binding request as a controlling agent sends it, built by aioice."""
    message = aioice_stun.Message(
        aioice_stun.Method.BINDING,
        aioice_stun.Class.REQUEST,
        transaction_id=bytes(range(12)),
        attributes={
            "USERNAME": f"{UFRAG}:{REMOTE_UFRAG}",
            "PRIORITY": 1853824767,
            "ICE-CONTROLLING": 0x1122334455667788,
            **{name.replace("_", "-"): value for name, value in attributes.items()},
        },
    )
    message.add_message_integrity(password.encode())
    if not fingerprint:
        del message.attributes["FINGERPRINT"]
    return bytes(message)


def raw(*attributes: tuple[int, bytes], kind: int = 1, cookie: int = 0x2112A442) -> bytes:
    """A message of these attributes, as they are."""
    body = b"".join(struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4) for name, value in attributes)
    return struct.pack("!HHI", kind, len(body), cookie) + bytes(12) + body


def parsed(data: bytes, password: bytes = PASSWORD.encode()) -> dict[str, Any]:
    result = _stun.parse(data, password)
    assert isinstance(result, dict), drop(result)
    return result


# ---- vectors


def test_rfc5769_2_1_sample_request() -> None:
    message = parsed(vector("rfc5769_2_1_request"), password_of("rfc5769_2_1_request"))
    assert message == {
        "message_type": 0x0001,
        "username": b"evtj:h6vY",
        "priority": 0x6E0001FF,
        "use_candidate": False,
        "ice_controlling": None,
        "ice_controlled": 0x932FF9B151263B36,
        "error_code": 0,
        "unknown_attributes": [],
        "fingerprint": True,
        "integrity": True,
    }
    assert _stun.peek_ufrag(vector("rfc5769_2_1_request")) == b"evtj"


@pytest.mark.parametrize(
    ("name", "ip", "attribute_size"),
    [
        ("rfc5769_2_2_ipv4_response", "192.0.2.1", 12),
        ("rfc5769_2_3_ipv6_response", "2001:db8:1234:5678:11:2233:4455:6677", 24),
    ],
)
def test_rfc5769_2_2_and_2_3_responses(name: str, ip: str, attribute_size: int) -> None:
    message = parsed(vector(name), password_of(name))
    assert (message["message_type"], message["integrity"], message["fingerprint"]) == (0x0101, True, True)
    # ours to the request of the same transaction tells the same address by the same bytes
    ours = _stun.binding_response(
        vector("rfc5769_2_1_request"), ipaddress.ip_address(ip).packed, 32853, password_of(name)
    )
    at = vector(name).index(bytes.fromhex("0020"), 36)
    assert ours[4:20] == vector(name)[4:20]
    assert ours[20 : 20 + attribute_size] == vector(name)[at : at + attribute_size]


def test_rfc5769_2_4_long_term_request() -> None:
    name = "rfc5769_2_4_long_term_request"
    key = hashlib.md5("マトリックス:example.org:TheMatrIX".encode()).digest()
    message = parsed(vector(name), key)
    assert message["username"] == "マトリックス".encode()
    assert message["integrity"] and not message["fingerprint"]
    assert message["unknown_attributes"] == []


def test_rfc8489_b_1_has_no_integrity_that_we_take() -> None:
    # SHA-256 is for servers that ask for it by PASSWORD-ALGORITHMS; ICE does not (RFC 8445 section 7)
    name = "rfc8489_b_1_sha256_request"
    message = parsed(vector(name), hashlib.sha256("マトリックス:example.org:TheMatrIX".encode()).digest())
    assert message["unknown_attributes"] == []
    assert not message["integrity"]
    assert drop(_stun.peek_ufrag(vector(name))) == "stun_unknown_ufrag"


@pytest.mark.parametrize("name", [name for name in VECTORS if "sha256" not in name])
def test_a_wrong_password_is_no_integrity(name: str) -> None:
    assert not parsed(vector(name), password_of(name) + b"x")["integrity"]


# ---- aioice as the other side


def test_we_read_what_aioice_writes() -> None:
    message = parsed(check(USE_CANDIDATE=None))
    assert message["username"] == f"{UFRAG}:{REMOTE_UFRAG}".encode()
    assert message["priority"] == 1853824767
    assert message["use_candidate"] and message["integrity"] and message["fingerprint"]
    assert (message["ice_controlling"], message["ice_controlled"]) == (0x1122334455667788, None)


@pytest.mark.parametrize("ip", ["192.0.2.1", "255.255.255.255", "2001:db8::1", "::1", "ff02::ffff"])
@pytest.mark.parametrize("port", [1, 32853, 65535])
def test_aioice_reads_what_we_write(ip: str, port: int) -> None:
    response = _stun.binding_response(check(), ipaddress.ip_address(ip).packed, port, PASSWORD.encode())
    message = aioice_stun.parse_message(response)  # checks the fingerprint
    assert message.message_class == aioice_stun.Class.RESPONSE
    assert message.transaction_id == bytes(range(12))
    assert message.attributes["XOR-MAPPED-ADDRESS"] == (ip, port)
    assert message.check_message_integrity(PASSWORD.encode())
    assert list(message.attributes) == ["XOR-MAPPED-ADDRESS", "MESSAGE-INTEGRITY", "FINGERPRINT"]


def test_an_ipv4_peer_on_a_socket_of_both_families_is_told_its_ipv4_address() -> None:
    mapped = ipaddress.ip_address("::ffff:192.0.2.1").packed
    message = aioice_stun.parse_message(_stun.binding_response(check(), mapped, 9, PASSWORD.encode()))
    assert message.attributes["XOR-MAPPED-ADDRESS"] == ("192.0.2.1", 9)


@pytest.mark.parametrize("code", [400, 401, 420, 487])
def test_aioice_reads_our_errors(code: int) -> None:
    message = aioice_stun.parse_message(_stun.error_response(check(), code, PASSWORD.encode()))
    assert message.message_class == aioice_stun.Class.ERROR
    assert message.error_code == code
    assert message.check_message_integrity(PASSWORD.encode())


def test_without_a_password_there_is_no_integrity() -> None:
    message = aioice_stun.parse_message(_stun.error_response(check(), 400))
    assert list(message.attributes) == ["ERROR-CODE", "FINGERPRINT"]


# ---- attributes


def test_unknown_attributes_are_named_in_error_420() -> None:
    for count in range(1, 7):
        names = [0x7000 + i for i in range(count)]
        request = raw(*[(name, b"abc") for name in names])
        assert parsed(request)["unknown_attributes"] == names[:4]
        response = _stun.error_response(request, 420, b"p")
        assert parsed(response, b"p")["integrity"] and parsed(response)["error_code"] == 420
        size = min(count, 4)
        assert struct.unpack_from(f"!HH{size}H", response, 28) == (0x000A, 2 * size, *names[:4])


def test_unknown_optional_attributes_are_passed_over() -> None:
    # libwebrtc's: GOOG-NETWORK-INFO, GOOG-MISC-INFO, GOOG-DELTA
    assert parsed(raw((0xC057, bytes(4)), (0xC05C, bytes(8)), (0x8022, b"x")))["unknown_attributes"] == []


def test_of_an_attribute_that_comes_twice_the_first_counts() -> None:
    message = parsed(
        raw(
            (6, b"one"),
            (6, b"second"),
            (0x24, b"\0\0\0\1"),
            (0x24, b"\0\0\0\2"),
            (0x802A, bytes(8)),
            (0x8029, bytes(8)),
        )
    )
    assert (message["username"], message["priority"]) == (b"one", 1)
    assert (message["ice_controlling"], message["ice_controlled"]) == (0, None)


def test_behind_the_integrity_nothing_but_the_fingerprint_counts() -> None:
    request = raw((6, b"a:b"), (8, bytes(20)), (0x25, b""), (0x24, bytes(4)), (0x7001, b""))
    message = parsed(request)
    assert not message["use_candidate"] and message["priority"] is None and message["unknown_attributes"] == []


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (raw(cookie=0x2112A443), "stun_malformed"),
        (raw((0x24, bytes(3))), "stun_malformed"),
        (raw((0x24, bytes(8))), "stun_malformed"),
        (raw((0x8029, bytes(4))), "stun_malformed"),
        (raw((0x802A, bytes(12))), "stun_malformed"),
        (raw((0x0008, bytes(19))), "stun_malformed"),
        (raw((0x0009, bytes(3))), "stun_malformed"),
        (raw((0x0006, bytes(514))), "stun_malformed"),
        (raw((0x8028, bytes(4))), "stun_fingerprint"),
        (raw((0x8028, bytes(8))), "stun_fingerprint"),
        (raw(*[(0x8022, b"")] * 33), "stun_malformed"),
        (b"\x40" + raw()[1:], "stun_malformed"),
        (raw() + b"\0\0\0\0", "stun_malformed"),
        (raw()[:2] + b"\0\1" + raw()[4:] + b"\0", "stun_malformed"),
        (raw()[:2] + b"\0\4" + raw()[4:] + b"\0\6\0\1", "stun_malformed"),
        (b"", "stun_malformed"),
    ],
)
def test_malformed_messages_are_refused(request_: bytes, reason: str) -> None:
    assert drop(_stun.parse(request_)) == reason


def test_the_fingerprint_is_the_last() -> None:
    whole = check()
    assert parsed(whole)["fingerprint"]
    longer = whole[:2] + struct.pack("!H", len(whole) - 20 + 4) + whole[4:] + b"\x80\x22\0\0"
    assert drop(_stun.parse(longer)) == "stun_fingerprint"  # its own length is under the fingerprint


# ---- finding the ufrag


def test_peek_finds_the_ufrag_wherever_username_stands() -> None:
    assert _stun.peek_ufrag(check()) == UFRAG.encode()
    assert _stun.peek_ufrag(raw((0x8022, b"abcde"), (0x24, bytes(4)), (6, b"me:you"))) == b"me"
    assert _stun.peek_ufrag(raw((6, b"nocolon"))) == b"nocolon"
    assert _stun.peek_ufrag(raw((6, b":you"))) == b""
    assert _stun.peek_ufrag(raw((6, b"me:you"), kind=0x0011)) == b"me"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (raw(), "stun_unknown_ufrag"),
        (raw((0x24, bytes(4))), "stun_unknown_ufrag"),
        (raw((6, b"me:you"), kind=0x0101), "stun_unexpected"),
        (raw((6, b"me:you"), kind=0x0003), "stun_unexpected"),
        (raw((6, bytes(514))), "stun_malformed"),
        (raw((6, b"me:you"), cookie=1), "stun_malformed"),
        (raw()[:2] + b"\0\4" + raw()[4:] + b"\0\6\0\1", "stun_malformed"),
    ],
)
def test_peek_refuses(data: bytes, reason: str) -> None:
    assert drop(_stun.peek_ufrag(data)) == reason


def test_r24_a_strangers_check_costs_a_bounded_walk() -> None:
    # as many attributes as a datagram holds: given up after 32 headers, where a check has USERNAME among its first
    padding = [(0x8022, b"")] * 31
    assert _stun.peek_ufrag(raw(*padding, (6, b"me:you"))) == b"me"
    assert drop(_stun.peek_ufrag(raw(*padding, (0x8022, b""), (6, b"me:you")))) == "stun_malformed"


# ---- malice


@pytest.mark.parametrize("name", list(VECTORS))
def test_every_truncation_is_refused(name: str) -> None:
    data = vector(name)
    for size in range(len(data)):
        assert drop(_stun.parse(data[:size])) == "stun_malformed"
        assert drop(_stun.peek_ufrag(data[:size])) == "stun_malformed"


def test_every_flipped_bit_is_refused_or_breaks_the_integrity() -> None:
    data = check()
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        result = _stun.parse(bytes(flipped), PASSWORD.encode())
        # the CRC alone finds every single bit, but for the header of the fingerprint itself
        if isinstance(result, dict):
            assert not result["fingerprint"] and bit // 8 in range(len(data) - 8, len(data) - 6)
        else:
            assert drop(result) in ("stun_malformed", "stun_fingerprint")


def test_every_flipped_bit_without_a_fingerprint_breaks_the_integrity() -> None:
    data = check(fingerprint=False)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        result = _stun.parse(bytes(flipped), PASSWORD.encode())
        assert isinstance(result, int) or not result["integrity"]


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read(data: bytes) -> None:
    fuzz_stun.fuzz_one(data)
    fuzz_stun.fuzz_one(fuzz_stun.signed(data))


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from([6, 8, 9, 0x20, 0x24, 0x25, 0x8028, 0x8029, 0x802A]), st.integers(0, 0xFFFF)),
            st.one_of(st.binary(max_size=40), st.just(bytes(20)), st.just(bytes(8)), st.just(bytes(4))),
        ),
        max_size=34,
    )
)
def test_random_attributes_are_refused_or_read(attributes: list[tuple[int, bytes]]) -> None:
    fuzz_stun.fuzz_one(raw(*attributes))
    fuzz_stun.fuzz_one(fuzz_stun.signed(raw(*attributes)[20:]))


def test_the_fuzz_targets_seeds() -> None:
    for seed in fuzz_stun.seeds():
        fuzz_stun.fuzz_one(seed)
