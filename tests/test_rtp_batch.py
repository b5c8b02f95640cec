"""`parse_batch` against `parse`, packet by packet."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import _drop, rtp
from tests.rtp_vectors import BAD, GOOD, all_captured

MIXED = [*GOOD.values(), *(data for data, _ in BAD.values()), *all_captured()]


def laid_out(packets):
    offsets = numpy.cumsum([0] + [len(packet) for packet in packets])
    return b"".join(packets), offsets


def assert_rows_tell_the_truth(rows, packets, buffer):
    assert rows.dtype == rtp.BATCH_DTYPE
    assert len(rows) == len(packets)
    for row, packet in zip(rows, packets, strict=True):
        assert buffer[row["offset"] : row["offset"] + row["size"]] == packet
        try:
            header = rtp.parse(packet)
        except ValueError:
            assert row["status"] < 0
            for name in set(rtp.BATCH_DTYPE.names) - {"offset", "size", "status"}:
                assert not numpy.any(row[name]), name
            continue
        assert row["status"] == 0
        for name in ("marker", "payload_type", "sequence_number", "timestamp", "ssrc", "payload_offset",
                     "payload_size", "padding_size", "extension_profile"):  # fmt: skip
            assert row[name] == getattr(header, name), name
        assert row["csrc_count"] == len(header.csrc)
        start = row["extension_offset"]
        assert packet[start : start + row["extension_size"]] == header.extension_data
        low = {i: value for i, value in header.extensions.items() if i < 15}
        assert {i for i in range(16) if row["located"] >> i & 1} == set(low)
        for i in range(15):
            start, size = row["element_offset"][i], row["element_size"][i]
            assert packet[start : start + size] == low[i] if i in low else start == size == 0


def test_good_bad_and_captured_packets():
    buffer, offsets = laid_out(MIXED)
    assert_rows_tell_the_truth(rtp.parse_batch(buffer, offsets), MIXED, buffer)


def test_status_names_the_reason():
    buffer, offsets = laid_out([data for data, _ in BAD.values()])
    rows = rtp.parse_batch(buffer, offsets)
    reasons = {name: _drop.NAMES[-status] for name, status in zip(BAD, rows["status"], strict=True)}
    assert reasons == {
        "empty": "rtp_short",
        "eleven_bytes": "rtp_short",
        "version_0": "rtp_version",
        "version_1": "rtp_version",
        "version_3": "rtp_version",
        "csrc_truncated": "rtp_short",
        "extension_without_header": "rtp_extension",
        "extension_truncated": "rtp_extension",
        "extension_of_65535_words": "rtp_extension",
        "padding_without_count": "rtp_padding",
        "padding_0": "rtp_padding",
        "padding_too_large": "rtp_padding",
        "padding_into_the_extension": "rtp_padding",
        "too_large": "too_large",
    }


def test_sizes_leave_gaps_and_any_order():
    packets = list(GOOD.values())
    buffer, offsets = laid_out([b"\xff" * 42 + packet for packet in packets])
    starts = (offsets[:-1] + 42)[::-1]
    sizes = [len(packet) for packet in packets[::-1]]
    rows = rtp.parse_batch(buffer, starts, sizes)
    assert rows["offset"].tolist() == starts.tolist()
    assert_rows_tell_the_truth(rows, packets[::-1], buffer)


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, lambda data: numpy.frombuffer(data, numpy.uint8)])
def test_any_memory_will_do(form):
    buffer, offsets = laid_out(list(GOOD.values()))
    rows = rtp.parse_batch(form(buffer), offsets.tolist())
    assert_rows_tell_the_truth(rows, list(GOOD.values()), buffer)


def test_no_packets():
    assert len(rtp.parse_batch(b"", [0])) == 0
    assert len(rtp.parse_batch(b"", [], [])) == 0


@pytest.mark.parametrize(
    "offsets, sizes",
    [
        ([], None),
        ([0, 12, 30], None),  # beyond the end
        ([0, 24, 12], None),  # falls
        ([-1, 12], None),
        ([0], [25]),
        ([0], [-1]),
        ([25], [0]),
        ([2**62], [2**62]),
        ([0, 1], [1]),
        ([[0, 12]], None),
    ],
)
def test_positions_outside_of_the_buffer(offsets, sizes):
    with pytest.raises(ValueError):
        rtp.parse_batch(bytes(24), offsets, sizes)


def test_the_outsider_is_named():
    with pytest.raises(ValueError, match="packet 2 "):
        rtp.parse_batch(bytes(24), [0, 1, 2, 3], [1, 2, 30, 4])


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes(packets):
    buffer, offsets = laid_out(packets)
    assert_rows_tell_the_truth(rtp.parse_batch(buffer, offsets), packets, buffer)
