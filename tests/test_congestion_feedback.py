"""RFC 8888 on the wire, by the functions that the engine uses: vectors of another implementation, malice, our own."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import rtcp
from mediarouter._congestion_feedback import read, write

# Written and read by pion/rtcp v1.2.20; of each report (ECN, offset), -1 twice: it did not arrive
VECTORS = json.loads((Path(__file__).parent / "vectors" / "rtcp_ccfb.json").read_text())
HEADER_SIZE, STREAM_SIZE, TIMESTAMP_SIZE = 8, 8, 4
ONE = bytes.fromhex(VECTORS[4]["hex"])  # two streams, of three reports and of one

reports = st.lists(st.one_of(st.just(0), st.integers(0x8000, 0xFFFF)), min_size=1, max_size=60)
streams = st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFF), reports), max_size=6)


def as_told(report: int) -> list[int]:
    return [report >> 13 & 3, report & 0x1FFF] if report & 0x8000 else [-1, -1]


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_what_another_implementation_wrote_is_read_as_it_reads_it(vector):
    found = read(bytes.fromhex(vector["hex"]))
    assert found is not None
    sender, timestamp, told = found
    assert (sender, timestamp) == (vector["sender"], vector["timestamp"])
    assert [(ssrc, begin, list(map(as_told, those))) for ssrc, begin, those in told] == [
        (stream["ssrc"], stream["begin"], stream["reports"]) for stream in vector["streams"]
    ]


@pytest.mark.parametrize("vector", [v for v in VECTORS if all(s["reports"] for s in v["streams"])])
def test_what_another_implementation_wrote_is_written_the_same(vector):
    sender, timestamp, told = read(bytes.fromhex(vector["hex"]))
    count = sum(len(those) for _, _, those in told)
    assert write(sender, timestamp, told, 1500) == (bytes.fromhex(vector["hex"]), count)


def test_it_is_refused_at_every_length_but_where_a_stream_ends():
    # the header's length is checked by whoever takes a compound apart
    ends = [HEADER_SIZE + TIMESTAMP_SIZE, HEADER_SIZE + STREAM_SIZE + 8 + TIMESTAMP_SIZE, len(ONE)]
    assert [size for size in range(len(ONE) + 1) if read(ONE[:size]) is not None] == ends


def test_every_bit_flipped_is_read_as_the_python_value_reads_it_or_refused_by_both():
    for bit in range(8 * HEADER_SIZE, 8 * len(ONE)):  # behind the header, which others read
        flipped = bytearray(ONE)
        flipped[bit // 8] ^= 0x80 >> bit % 8
        compare(bytes(flipped))


def test_more_reports_than_a_stream_may_have_are_refused():
    count = 16385
    body = b"\0\0\0\1" + b"\0\0\0\2" + b"\0\0" + count.to_bytes(2, "big") + bytes(2 * count + 2) + bytes(4)
    assert read(b"\x8b\xcd" + (len(body) // 4).to_bytes(2, "big") + body) is None


@given(st.binary(min_size=8, max_size=64), st.integers(0, 3))
def test_whatever_comes_is_read_as_the_python_value_reads_it(body, words):
    body = body[: len(body) // 4 * 4] + bytes(4 * words)
    compare(b"\x8b\xcd" + (len(body) // 4).to_bytes(2, "big") + body)


def compare(data: bytes) -> None:
    found = read(data)
    try:
        (value,) = rtcp.parse(data)
    except rtcp.RtcpError:
        assert found is None
        return
    assert isinstance(value, rtcp.Ccfb)
    assert found is not None
    sender, timestamp, told = found
    assert (sender, timestamp) == (value.sender_ssrc, value.report_timestamp)
    assert [(s, b, [as_told(r) for r in those]) for s, b, those in told] == [
        (s.ssrc, s.begin_sequence_number, [list(a) if a else [-1, -1] for a in s.arrivals]) for s in value.streams
    ]


@given(streams, st.integers(28, 400))
def test_what_is_written_fits_and_reads_back(told, capacity):
    data, count = write(7, 99, told, capacity)
    assert len(data) <= capacity and len(data) % 4 == 0
    sender, timestamp, again = read(data)
    assert (sender, timestamp) == (7, 99)
    flat = [(ssrc, begin + i & 0xFFFF, r) for ssrc, begin, those in told for i, r in enumerate(those)]
    assert [(ssrc, begin + i & 0xFFFF, r) for ssrc, begin, those in again for i, r in enumerate(those)] == flat[:count]
    if count < len(flat):
        assert len(data) + STREAM_SIZE + TIMESTAMP_SIZE + 2 >= capacity, "there was room for more"


def test_a_packet_of_no_sensible_size_is_refused():
    for capacity in (27, 1501):
        with pytest.raises(ValueError, match="capacity"):
            write(1, 2, [], capacity)
