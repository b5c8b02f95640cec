"""Arithmetic on the circles of sequence numbers and timestamps."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import rtp

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)


@pytest.mark.parametrize(
    "a, b, difference",
    [(1, 0, 1), (0, 1, -1), (0, 65535, 1), (65535, 0, -1), (0x7FFF, 0, 32767), (0x8000, 0, -32768), (5, 5, 0)],
)
def test_seq_diff(a, b, difference):
    assert rtp.seq_diff(a, b) == difference


@pytest.mark.parametrize(
    "a, b, difference",
    [(1, 0, 1), (0, 2**32 - 1, 1), (2**32 - 1, 0, -1), (2**31 - 1, 0, 2**31 - 1), (2**31, 0, -(2**31))],
)
def test_timestamp_diff(a, b, difference):
    assert rtp.timestamp_diff(a, b) == difference


@given(st.integers(-(2**40), 2**40), u16)
def test_unwrapped_number_is_the_nearest(newest, sequence_number):
    unwrapped = rtp.unwrap_seq(newest, sequence_number)
    assert unwrapped & 0xFFFF == sequence_number
    assert -32768 <= unwrapped - newest <= 32767


@given(st.integers(-(2**40), 2**60), u32)
def test_unwrapped_timestamp_is_the_nearest(newest, timestamp):
    unwrapped = rtp.unwrap_timestamp(newest, timestamp)
    assert unwrapped & 0xFFFFFFFF == timestamp
    assert -(2**31) <= unwrapped - newest <= 2**31 - 1


def test_unwrap_over_many_rounds():
    newest = 65000
    for step in range(1, 10000):
        newest = rtp.unwrap_seq(newest, (65000 + 30 * step) & 0xFFFF)
    assert newest == 65000 + 30 * 9999


@given(st.integers(0, 2**50), st.lists(st.integers(-32768, 32767), max_size=50))
def test_unwrap_a_column(first, steps):
    true = numpy.cumsum([first, *steps])
    wrapped = (true & 0xFFFF).astype(numpy.uint16)
    unwrapped = rtp.unwrap(wrapped)
    assert unwrapped.dtype == numpy.int64
    assert (unwrapped - unwrapped[0] == true - true[0]).all()
    assert (unwrapped & 0xFFFF == wrapped).all()


def test_unwrap_a_column_of_timestamps():
    assert rtp.unwrap([2**32 - 3000, 0, 3000, 2**32 - 6000], bits=32).tolist() == [
        2**32 - 3000,
        2**32,
        2**32 + 3000,
        2**32 - 6000,
    ]
    assert rtp.unwrap([]).tolist() == []
    assert rtp.unwrap([7]).tolist() == [7]
