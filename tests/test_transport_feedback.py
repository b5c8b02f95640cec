"""The format of transport-wide feedback: vectors of other implementations, the traps by name, malice.

P numbers are traps, T numbers vectors. The traps of who records (P6, P8, P9, P11, P12, P17) are in
congestion/test_twcc.py, the one about compound datagrams (P14) in test_rtcp_parse.py.
"""

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter._transport_feedback import STATUS_DTYPE, Twcc, from_bytes, parse_times, unwrap_reference_time
from tests import twcc_reference

VECTORS = json.loads((Path(__file__).parent / "vectors" / "rtcp_twcc.json").read_text())
REFERENCE_US = 64_000
TICK_US = 250


def packet(base: int, count: int, chunks: list[int], steps: bytes = b"", reference: int = 0) -> bytes:
    """A packet put together by hand, padded with zeros and no P bit."""
    body = struct.pack("!IIHHI", 1, 2, base, count, (reference & 0xFFFFFF) << 8)
    body += b"".join(struct.pack("!H", chunk) for chunk in chunks) + steps
    body += bytes(-len(body) % 4)
    return struct.pack("!BBH", 0x8F, 205, len(body) // 4) + body


def run(symbol: int, length: int) -> int:
    return symbol << 13 | length


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_t1_to_t9(name: str) -> None:
    vector: dict[str, Any] = VECTORS[name]
    data = bytes.fromhex(vector["hex"])
    feedback = from_bytes(data)
    assert feedback.base_sequence_number == vector["base"]
    assert feedback.reference_time == vector["reference"]
    assert feedback.feedback_packet_count == vector["feedback_count"]
    assert feedback.packet_status_count == len(vector["ticks"])
    arrival_us = vector["reference"] * REFERENCE_US
    expected: list[tuple[int, int | None]] = []
    for i, ticks in enumerate(vector["ticks"]):
        arrival_us += (ticks or 0) * TICK_US
        expected.append(((vector["base"] + i) & 0xFFFF, None if ticks is None else arrival_us))
    assert feedback.arrivals == expected
    assert bytes(feedback) == data
    assert twcc_reference.parse(data) == expected


@pytest.mark.parametrize("name", [name for name in VECTORS if name != "T2"])
def test_vectors_written_by_us_tell_the_same(name: str) -> None:
    theirs = from_bytes(bytes.fromhex(VECTORS[name]["hex"]))
    ours = Twcc(
        theirs.sender_ssrc,
        theirs.media_ssrc,
        theirs.base_sequence_number,
        [arrival_us for _, arrival_us in theirs.arrivals],
        theirs.feedback_packet_count,
    )
    assert ours == theirs
    assert hash(ours) == hash(theirs)
    assert len(bytes(ours)) <= len(bytes(theirs))


def test_t4_is_written_bit_for_bit() -> None:
    data = bytes.fromhex(VECTORS["T4"]["hex"])
    assert bytes(Twcc(0xFA17FA17, 1234, 13, [35504 * REFERENCE_US + 57_000])) == data


def test_p1_the_reference_time_is_unwrapped_to_the_nearest() -> None:
    turn = 1 << 24
    assert unwrap_reference_time(0, 5) == 5
    assert unwrap_reference_time(turn - 1, 0) == turn
    assert unwrap_reference_time(turn, 0xFFFFFF) == turn - 1
    assert unwrap_reference_time(turn * 7 + 10, 3) == turn * 7 + 3
    assert unwrap_reference_time(0, -1) == -1
    newest = 0
    for step in range(0, 3 * turn, turn // 3):
        newest = unwrap_reference_time(newest, step & 0xFFFFFF)
        assert newest == step


def test_p1_a_report_overtaken_by_another_is_placed_before_it() -> None:
    newest = unwrap_reference_time(0xFFFFFE, 1)
    assert newest == 0x1000001
    assert unwrap_reference_time(newest, 0xFFFFFF) == 0xFFFFFF


@pytest.mark.parametrize("reference", [-(1 << 23), -1, 0, 1, (1 << 23) - 1])
def test_p2_the_reference_time_may_be_negative(reference: int) -> None:
    feedback = from_bytes(packet(1, 1, [run(1, 1)], b"\x03", reference))
    assert feedback.reference_time == reference
    assert feedback.arrivals == [(1, reference * REFERENCE_US + 3 * TICK_US)]
    written = Twcc(1, 2, 1, [reference * REFERENCE_US + 3 * TICK_US])
    assert written.reference_time == reference
    assert written == feedback


def test_p2_a_negative_time_is_rounded_down_to_its_reference() -> None:
    feedback = Twcc(1, 2, 9, [-250, 250])
    assert feedback.reference_time == -1
    assert feedback.arrivals == [(9, -250), (10, 250)]


@pytest.mark.parametrize("count", range(1, 15))
def test_p3_surplus_symbols_of_a_one_bit_chunk_carry_no_delta(count: int) -> None:
    feedback = from_bytes(packet(7, count, [0xBFFF], bytes(range(1, count + 1))))
    assert [number for number, _ in feedback.arrivals] == list(range(7, 7 + count))
    assert feedback.arrivals[-1][1] == sum(range(1, count + 1)) * TICK_US


@pytest.mark.parametrize("count", range(1, 8))
def test_p3_surplus_symbols_of_a_two_bit_chunk_carry_no_delta(count: int) -> None:
    feedback = from_bytes(packet(7, count, [0xEAAA], b"\x01\x00" * count))
    assert feedback.packet_status_count == count
    assert feedback.arrivals[-1] == (6 + count, 256 * count * TICK_US)


def test_p3_a_run_may_overshoot() -> None:
    feedback = from_bytes(packet(0, 2, [run(1, 8191)], b"\x01\x01"))
    assert feedback.arrivals == [(0, 250), (1, 500)]


def test_p4_a_count_of_zero_is_valid_and_tells_nothing() -> None:
    feedback = from_bytes(packet(5, 0, []))
    assert feedback.arrivals == []
    assert len(feedback.statuses) == 0


@pytest.mark.parametrize(
    "malformed",
    [
        packet(0, 1, []),
        packet(0, 15, [0xBFFF], bytes(14)),
        packet(0, 8192, [run(0, 8191)]),
        packet(0, 3, [run(1, 3)]),
        packet(0, 4, [run(1, 4)], bytes(2)),
        packet(0, 4, [run(2, 4)], bytes(4)),
        packet(0, 0xFFFF, [run(0, 0), run(0, 0)]),
        packet(0, 1, [run(1, 1)], b"\0")[:16],
    ],
)
def test_p4_malformed_packets_are_refused(malformed: bytes) -> None:
    with pytest.raises(ValueError, match="no transport-wide feedback"):
        from_bytes(malformed)


def test_p4_an_empty_run_covers_nothing() -> None:
    assert from_bytes(packet(0, 1, [run(0, 0), run(1, 1)], b"\x02")).arrivals == [(0, 500)]


@pytest.mark.parametrize(("padding", "valid"), [(0, False), (1, True), (5, True), (6, False), (255, False)])
def test_p5_padding_of_the_p_bit_ends_with_its_size(padding: int, valid: bool) -> None:
    # 20 bytes of header, one chunk, one step, and a word of nothing but padding
    data = bytearray(packet(3, 1, [run(1, 1)], b"\x04") + bytes(4))
    data[0] |= 0x20
    data[3] += 1
    data[-1] = padding
    if valid:
        assert from_bytes(bytes(data)).arrivals == [(3, 1000)]
        assert bytes(from_bytes(bytes(data))) == data
    else:
        with pytest.raises(ValueError, match="no transport-wide feedback"):
            from_bytes(bytes(data))


def test_p5_padding_is_not_read_as_steps() -> None:
    data = bytearray(packet(3, 2, [run(1, 2)], b"\x04"))
    data[0] |= 0x20
    data[-1] = 1
    with pytest.raises(ValueError, match="no transport-wide feedback"):
        from_bytes(bytes(data))


def test_p5_zeros_without_the_p_bit_are_ignored() -> None:
    data = packet(3, 1, [run(1, 1)], b"\x04" + bytes(9))
    assert from_bytes(data).arrivals == [(3, 1000)]


def test_p7_the_reserved_symbol_is_received_at_no_known_time() -> None:
    feedback = from_bytes(packet(0, 3, [0xC000 | 1 << 12 | 3 << 10 | 1 << 8], b"\x04\x08"))
    assert feedback.arrivals == [(0, 1000), (1, None), (2, 3000)]
    assert feedback.statuses["received"].tolist() == [True, True, True]
    assert feedback.statuses["timed"].tolist() == [True, False, True]
    assert from_bytes(packet(0, 2, [run(3, 2)])).statuses["received"].all()


@pytest.mark.parametrize(
    ("steps", "chunks"),
    [
        ("s" * 5, [run(1, 5)]),
        ("s" * 1000, [run(1, 1000)]),
        ("sllll", [0xC000 | 0b01101010100000]),
        ("s" + "l" * 20, [0xC000 | 0b01101010101010, run(2, 14)]),
        ("ss-ss", [0x8000 | 0b11011000000000]),
        ("ssssssss-sssss", [0x8000 | 0b11111111011111]),
        ("s" * 14 + "-s", [run(1, 14), 0x8000 | 0b01000000000000]),
        ("sl-s", [0xC000 | 0b01100001000000]),
        ("sss-sssl", [0xC000 | 0b01010100010101, run(2, 1)]),
        ("sss-ssss-l", [0xC000 | 0b01010100010101, 0xC000 | 0b01001000000000]),
        ("sssssssl", [run(1, 7), run(2, 1)]),
        ("s" + "-" * 9000 + "s", [0x8000 | 0b10000000000000, run(0, 8191), run(0, 796), run(1, 1)]),
    ],
)
def test_p7_chunks_take_the_form_that_holds_most(steps: str, chunks: list[int]) -> None:
    """s: a small step, l: a large one, -: lost."""
    arrivals: list[int | None] = []
    now_us = 0
    for step in steps:
        now_us += {"s": 250, "l": 64_000, "-": 0}[step]
        arrivals.append(None if step == "-" else now_us)
    data = bytes(Twcc(1, 2, 0, arrivals))
    assert [arrival_us for _, arrival_us in twcc_reference.parse(data)] == arrivals
    assert list(struct.unpack_from(f"!{len(chunks)}H", data, 20)) == chunks
    step_size = steps.count("s") + 2 * steps.count("l")
    assert len(data) == (20 + 2 * len(chunks) + step_size + 3) // 4 * 4


def test_p13_the_media_ssrc_means_nothing() -> None:
    arrivals = [1000, None, 2000]
    assert Twcc(1, 2, 3, arrivals).arrivals == Twcc(1, 0xFFFFFFFF, 3, arrivals).arrivals
    assert Twcc(1, 2, 3, arrivals) != Twcc(1, 0xFFFFFFFF, 3, arrivals)


arrival_lists = st.lists(st.none() | st.integers(0, 9_000_000), min_size=1, max_size=400).map(
    lambda steps: [None if step is None else sum(s or 0 for s in steps[: i + 1]) // 200 for i, step in enumerate(steps)]
)


@given(arrival_lists.filter(lambda arrivals: any(a is not None for a in arrivals)), st.integers(0, 0xFFFF))
def test_what_is_written_is_read(arrivals: list[int | None], base: int) -> None:
    feedback = Twcc(0xFFFFFFFF, 7, base, arrivals, 255)
    assert twcc_reference.parse(bytes(feedback)) == feedback.arrivals
    assert from_bytes(bytes(feedback)) == feedback
    assert [number for number, _ in feedback.arrivals] == [(base + i) & 0xFFFF for i in range(len(arrivals))]
    for (_, read_us), written_us in zip(feedback.arrivals, arrivals, strict=True):
        assert (read_us is None) == (written_us is None)
        if read_us is not None and written_us is not None:
            assert abs(read_us - written_us) <= TICK_US // 2


@given(st.binary(max_size=60), st.integers(0, 200))
def test_any_bytes_are_judged_as_the_reference_does(body: bytes, count: int) -> None:
    data = packet(65500, count, [], body)
    try:
        expected = twcc_reference.parse(data)
    except ValueError:
        with pytest.raises(ValueError, match="no transport-wide feedback"):
            from_bytes(data)
    else:
        assert from_bytes(data).arrivals == expected


@pytest.mark.parametrize("name", VECTORS)
def test_truncation_at_every_length(name: str) -> None:
    data = bytes.fromhex(VECTORS[name]["hex"])
    for size in range(len(data)):
        with pytest.raises(ValueError, match="no transport-wide feedback"):
            from_bytes(data[:size])
    for words in range(5, len(data) // 4):
        shorter = bytearray(data[: 4 * words])
        shorter[3] = words - 1
        shorter[0] &= 0xDF
        try:
            expected = twcc_reference.parse(bytes(shorter))
        except ValueError:
            with pytest.raises(ValueError, match="no transport-wide feedback"):
                from_bytes(bytes(shorter))
        else:
            assert from_bytes(bytes(shorter)).arrivals == expected


@pytest.mark.parametrize("name", VECTORS)
def test_every_bit_flipped(name: str) -> None:
    data = bytes.fromhex(VECTORS[name]["hex"])
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 0x80 >> bit % 8
        try:
            feedback = from_bytes(bytes(flipped))
        except ValueError:
            continue
        assert bytes(feedback) == flipped
        assert feedback.arrivals == twcc_reference.parse(bytes(flipped))


def test_statuses_are_one_row_a_number() -> None:
    statuses = Twcc(1, 2, 65535, [500, None, 64_000_000 - 63_999_000]).statuses
    assert statuses.dtype == STATUS_DTYPE
    assert statuses["sequence_number"].tolist() == [65535, 0, 1]
    assert statuses["received"].tolist() == [True, False, True]
    assert statuses["arrival_us"][[0, 2]].tolist() == [500, 1000]
    assert not statuses.flags.writeable
    assert numpy.diff(statuses["arrival_us"][statuses["timed"]]).tolist() == [500]


@pytest.mark.parametrize(
    ("arrivals", "why"),
    [
        ([], "nothing arrived"),
        ([None, None], "nothing arrived"),
        ([0, 8_192_000], "does not fit"),
        ([9_000_000, 0], "does not fit"),
        ([0] * 2000, "does not fit"),
        ([1 << 60], "out of range"),
        ([-1 << 70], "out of range"),
    ],
)
def test_what_cannot_be_written_is_an_error(arrivals: list[int | None], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Twcc(1, 2, 3, arrivals)


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("sender_ssrc", 0xFFFFFFFF),
        ("media_ssrc", 0xFFFFFFFF),
        ("base_sequence_number", 0xFFFF),
        ("feedback_packet_count", 0xFF),
    ],
)
def test_fields_take_their_range_and_no_more(name: str, largest: int) -> None:
    good: dict[str, Any] = {"sender_ssrc": 1, "media_ssrc": 2, "base_sequence_number": 3, "arrivals_us": [0]}
    for value in (0, largest):
        assert getattr(from_bytes(bytes(Twcc(**{**good, name: value}))), name) == value
    for value in (-1, largest + 1, 1 << 70):
        with pytest.raises(ValueError, match=f"{name} must be 0..{largest}"):
            Twcc(**{**good, name: value})


def test_the_largest_steps_fit() -> None:
    forward, back = 32767 * TICK_US, -32768 * TICK_US
    assert Twcc(1, 2, 3, [0, forward]).arrivals == [(3, 0), (4, forward)]
    assert Twcc(1, 2, 3, [0, back]).arrivals == [(3, 0), (4, back)]


def test_python_values_behave() -> None:
    feedback = Twcc(1, 2, 3, [0, 1000], 4)
    assert pickle.loads(pickle.dumps(feedback)) == feedback
    assert repr(feedback) == (
        "Twcc(sender_ssrc=1, media_ssrc=2, reference_time=0, feedback_packet_count=4, arrivals=[(3, 0), (4, 1000)])"
    )
    assert feedback != Twcc(1, 2, 3, [0, 1000], 5)
    assert feedback != Twcc(1, 2, 3, [0, 1250], 4)
    assert feedback != "something else"
    assert len({feedback, from_bytes(bytes(feedback))}) == 1


def test_the_benchmark_reads_every_status() -> None:
    assert parse_times(bytes(Twcc(1, 2, 3, [0, None, 1000])), 10) == 30
    assert parse_times(packet(0, 1, []), 1) < 0
