"""Packets are found by stream and sequence number as long as they are among the newest, and never mistaken."""

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mediarouter.congestion._ccfb_index import CcfbIndexFace


def test_a_packet_is_found_by_stream_and_number():
    index = CcfbIndexFace()
    index.add(3, 65_535, 70_000)
    index.add(3, 0, 70_001)
    index.add(4, 0, 70_002)
    assert (index.find(3, 65_535), index.find(3, 0), index.find(4, 0)) == (70_000, 70_001, 70_002)
    assert index.find(4, 65_535) is None
    assert index.find(3, 256) is None, "of the same bucket"


@pytest.mark.parametrize("streams", [1, 2, 25])
def test_the_newest_of_interleaved_streams_are_all_there(streams):
    index, dice = CcfbIndexFace(), random.Random(streams)
    seqs = [dice.randrange(65_536) for _ in range(streams)]
    sent = []
    for number in range(1000, 9000):
        stream = dice.randrange(streams)
        seqs[stream] = seqs[stream] + 1 & 0xFFFF
        sent.append((stream, seqs[stream], number))
        index.add(*sent[-1])
        if number % 97 == 0:
            assert all(index.find(stream, seq) == number for stream, seq, number in sent[-600:])
    held = sum(index.find(stream, seq) == number for stream, seq, number in sent[-2048:])
    assert held > 0.85 * 2048


def test_one_stream_has_room_for_2048_and_older_ones_are_forgotten():
    index = CcfbIndexFace()
    for seq in range(10_000):
        index.add(7, seq, 65_536 + seq)
    assert all(index.find(7, seq) == 65_536 + seq for seq in range(10_000 - 2048, 10_000))
    assert all(index.find(7, seq) is None for seq in range(10_000 - 2304))


def test_what_is_sent_again_under_its_number_counts_as_sent_last():
    index = CcfbIndexFace()
    for number, seq in enumerate((1, 2, 3, 1)):
        index.add(0, seq, number)
    assert [index.find(0, seq) for seq in (1, 2, 3)] == [3, 1, 2]


def test_a_jump_of_the_numbers_forgets_all():
    index = CcfbIndexFace()
    index.add(0, 1, 1)
    index.add(0, 2, 2 + 4096)
    assert (index.find(0, 1), index.find(0, 2)) == (None, 4098)


def test_streams_and_numbers_out_of_range_are_refused():
    index = CcfbIndexFace()
    for stream in (-1, 4095):
        with pytest.raises(ValueError, match="stream"):
            index.add(stream, 0, 1)
    index.add(0, 0, 1)
    with pytest.raises(ValueError, match="ascend"):
        index.add(0, 1, 1)


def test_it_is_small():
    assert CcfbIndexFace().memory_size <= 8_200


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3) | st.integers(0, 4094), st.integers(0, 65_535) | st.integers(0, 9), st.integers(1, 900)
        ),
        max_size=200,
    )
)
def test_what_it_finds_is_what_a_dictionary_finds(steps):
    index, plain, number = CcfbIndexFace(), {}, 0
    for stream, seq, step in steps:
        number += step
        index.add(stream, seq, number)
        plain[stream, seq] = number
        assert index.find(stream, seq) == number
    for (stream, seq), expected in plain.items():
        assert index.find(stream, seq) in (expected, None)
    for (stream, seq), expected in sorted(plain.items(), key=lambda item: item[1])[-8:]:
        if number - expected < 2048:
            assert index.find(stream, seq) == expected, "a bucket has room for as many"
