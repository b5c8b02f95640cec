"""Protobuf's wire format, by the examples of its specification and by what is cut, flipped or made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.bench.peers.protobuf import MalformedError, decode, encode, message_of, text_of

# the encoding guide's own: `a: 150`, `b: "testing"`, a submessage `c { a: 150 }`
GUIDE = [
    ([(1, 150)], "089601"),
    ([(2, "testing")], "120774657374696e67"),
    ([(3, encode([(1, 150)]))], "1a03089601"),
]
SAMPLE = encode([(1, "offer"), (2, "v=0\r\n" * 40), (3, 7), (15, encode([(1, 300)])), (16, 1 << 63), (3, 8)])


@pytest.mark.parametrize(("fields", "data"), GUIDE)
def test_the_guides_examples_are_written_and_read(fields, data):
    assert encode(fields).hex() == data
    number, value = fields[0]
    assert decode(bytes.fromhex(data)) == {number: [value.encode() if isinstance(value, str) else value]}


def test_fields_are_read_by_number():
    fields = decode(SAMPLE)
    assert text_of(fields, 1) == "offer" and text_of(fields, 9) == ""
    assert fields[3] == [7, 8] and fields[16] == [1 << 63]
    assert message_of(fields, 15) == {1: [300]} and message_of(fields, 9) == {}
    assert decode(bytes.fromhex("0d01020304" + "111122334455667788")) == {
        1: [b"\x01\x02\x03\x04"],
        2: [bytes.fromhex("1122334455667788")],
    }


@pytest.mark.parametrize(
    "data", ["08", "0880", "1205616263", "0b", "0f", "00", "0200", "08" + "80" * 10 + "01", "0d01"]
)
def test_what_is_no_message_is_told(data):
    with pytest.raises(MalformedError):
        decode(bytes.fromhex(data))


def test_what_is_of_another_kind_is_told():
    with pytest.raises(MalformedError, match="no text"):
        text_of(decode(encode([(1, b"\xff\xfe")])), 1)
    with pytest.raises(MalformedError, match="no message"):
        message_of(decode(encode([(1, 5)])), 1)


@pytest.mark.parametrize("fields", [[(0, 1)], [(1, -1)], [(-3, "x")]])
def test_a_callers_mistakes_are_told(fields):
    with pytest.raises(ValueError, match="number|negative"):
        encode(fields)


def test_cut_and_flipped_bytes_raise_one_error_at_most():
    whole = {at for at in range(len(SAMPLE)) if _reads(SAMPLE[:at])}
    assert len(whole) == 6, "only where a field ends"
    for at in range(len(SAMPLE)):
        for bit in range(8):
            _reads(SAMPLE[:at] + bytes([SAMPLE[at] ^ 1 << bit]) + SAMPLE[at + 1 :])


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data):
    _reads(data)


@given(st.lists(st.tuples(st.integers(1, 1 << 28), st.integers(0, (1 << 64) - 1) | st.binary(max_size=300))))
def test_what_is_written_is_read(fields):
    found = decode(encode(fields))
    expected: dict = {}
    for number, value in fields:
        expected.setdefault(number, []).append(value)
    assert found == expected


def _reads(data: bytes) -> bool:
    try:
        decode(data)
    except MalformedError:
        return False
    return True
