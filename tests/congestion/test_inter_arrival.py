"""Groups of packets and their deltas; scenarios of libwebrtc's own tests where they are named so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.congestion._inter_arrival import InterArrivalFace

GROUP_US = 5_020                           # just beyond a group
STEP_US = 20
BURST_US = 5_000
BEYOND_BURST_US = 6_000
OFFSETS_US = [0, 63_999_995, 47_721_858_827, (1 << 32) - 40_000, (1 << 60) - (1 << 31), -(1 << 60) + 1]


class Groups:
    """Packets of a sender whose clock begins anywhere."""

    def __init__(self, offset_us: int = 0) -> None:
        self.ia, self.offset_us = InterArrivalFace(), offset_us

    def add(self, send_us: int, arrival_us: int, size_bytes: int = 1) -> tuple[int, int] | None:
        return self.ia.add(self.offset_us + send_us, arrival_us, arrival_us, size_bytes)


def test_the_first_packet_tells_nothing() -> None:
    assert Groups().add(0, 17_000) is None


def test_a_third_group_tells_of_the_first_two() -> None:
    groups = Groups()
    assert groups.add(0, 17_000) is None
    assert groups.add(GROUP_US, 23_000) is None
    assert groups.add(2 * GROUP_US, 29_500) == (GROUP_US, 6_000)
    assert groups.add(3 * GROUP_US, 36_000) == (GROUP_US, 6_500)


def test_a_group_is_measured_at_its_last_packet() -> None:
    groups = Groups()
    groups.add(0, 17_000)
    groups.add(GROUP_US, 28_000, 2)
    for i in range(1, 11):
        assert groups.add(GROUP_US + i * STEP_US, 28_000 + i * BEYOND_BURST_US) is None
    assert groups.ia.group_bytes == 12
    assert groups.add(2 * GROUP_US, 500_000, 100) == (GROUP_US + 10 * STEP_US, 71_000)
    assert groups.ia.group_bytes == 100


def test_a_packet_sent_before_the_group_is_left_out() -> None:
    groups = Groups()
    groups.add(0, 17_000)
    groups.add(GROUP_US, 28_000)
    assert groups.add(0, 281_000, 100) is None
    assert groups.ia.group_bytes == 1
    assert groups.add(2 * GROUP_US, 500_000) == (GROUP_US, 11_000)


def test_of_a_group_the_packet_sent_last_counts() -> None:
    groups = Groups()
    groups.add(0, 17_000)
    groups.add(GROUP_US, 28_000)
    for i in range(10, 0, -1):
        groups.add(GROUP_US + i * STEP_US, 28_000 + (11 - i) * BEYOND_BURST_US)
    assert groups.add(2 * GROUP_US, 500_000) == (GROUP_US + 10 * STEP_US, 17_000)


def test_of_packets_sent_at_once_the_last_to_arrive_counts() -> None:
    groups = Groups()
    groups.add(0, 17_000)
    for arrival_us in (28_000, 40_000, 31_000):
        groups.add(GROUP_US, arrival_us)
    assert groups.add(2 * GROUP_US, 500_000) == (GROUP_US, 23_000)


def test_a_burst_is_one_group() -> None:
    """Sent 30 ms apart and let through within 5 ms of each other."""
    groups = Groups()
    groups.add(0, 17_000)
    for i in range(1, 11):
        assert groups.add(GROUP_US + i * 30_000, 100_000 + i * BURST_US) is None
    assert groups.add(GROUP_US + 330_000, 150_000 + BEYOND_BURST_US) == (GROUP_US + 300_000, 133_000)


def test_packets_that_kept_their_distance_are_no_burst() -> None:
    groups = Groups()
    groups.add(0, 17_000)
    groups.add(GROUP_US, 28_000)
    assert groups.add(GROUP_US + 30_000, 28_000 + BEYOND_BURST_US) == (GROUP_US, 11_000)


def test_no_burst_is_longer_than_100_ms() -> None:
    groups = Groups()
    groups.add(0, 0)
    closed_at = [i for i in range(1, 100) if groups.add(i * 30_000, 1_000_000 + i * 4_000)]
    # the second group begins with the first late packet, and with the one 100 ms after its first
    assert closed_at[0] == 26
    assert closed_at[1] - closed_at[0] == 25


@pytest.mark.parametrize("offset_us", OFFSETS_US)
@pytest.mark.parametrize("disorder", [False, True])
def test_any_clock_will_do(offset_us: int, disorder: bool) -> None:
    """Where the clocks of other formats wrap, and at the ends of what is allowed."""
    groups = Groups(offset_us)
    quarter_us = 10_000
    arrivals_us = [17_000 + i * BEYOND_BURST_US for i in range(5)]
    seen = [groups.add(i * quarter_us, arrivals_us[i]) for i in range(5)]
    assert seen == [None, None] + [(quarter_us, BEYOND_BURST_US)] * 3
    arrival_us = arrivals_us[-1]
    for i in range(10):
        arrival_us += BEYOND_BURST_US
        assert groups.add(4 * quarter_us + STEP_US * (9 - i if disorder else i), arrival_us) is None
    assert groups.add(4 * quarter_us - 100, arrival_us + 1_000) is None
    end_us = arrivals_us[4] + BEYOND_BURST_US if disorder else arrival_us
    assert groups.add(4 * quarter_us + GROUP_US, arrival_us + 20_000) == (
        quarter_us + 9 * STEP_US,
        end_us - arrivals_us[3],
    )


def deltas_of(arrivals_us: list[int]) -> list[tuple[int, int] | None]:
    """Of packets sent 30 ms apart, each a group."""
    ia = InterArrivalFace()
    return [ia.add(i * 30_000, arrival_us, i * 30_000) for i, arrival_us in enumerate(arrivals_us)]


BOTH = (30_000, 30_000)


@pytest.mark.parametrize("offset_us", [3_000_000, 30_000_000, 1 << 50])
def test_a_clock_set_forward_costs_one_delta(offset_us: int) -> None:
    """Where libwebrtc begins anew, which costs it three groups."""
    deltas = deltas_of([i * 30_000 + (offset_us if i >= 6 else 0) for i in range(12)])
    assert deltas == [None] * 2 + [BOTH] * 5 + [None] + [BOTH] * 4


@pytest.mark.parametrize("offset_us", [-1_000_000, -3_000_000, -30_000_000, -(1 << 50)])
def test_a_clock_set_back_costs_two_deltas(offset_us: int) -> None:
    """Where libwebrtc waits for three, begins anew, and so loses six groups."""
    deltas = deltas_of([i * 30_000 + (offset_us if i >= 6 else 0) for i in range(12)])
    assert deltas == [None] * 2 + [BOTH] * 4 + [None] * 2 + [BOTH] * 4


def test_what_is_late_twice_in_a_row_still_adds_up() -> None:
    """The second closes the first, so that is told; the next one takes it back."""
    deltas = deltas_of([i * 30_000 + {8: 150_000, 9: 130_000}.get(i, 0) for i in range(20)])
    assert deltas[9] == (30_000, 180_000)
    known = [each for each in deltas if each]
    assert sum(each[0] for each in known) == sum(each[1] for each in known) == 18 * 30_000
    assert min(each[1] for each in known) == -90_000


@pytest.mark.parametrize("late_us", [100_000 + 30_001, 150_000, 1_000_000])
def test_a_group_that_was_overtaken_is_left_out_of_the_sum(late_us: int) -> None:
    deltas = deltas_of([i * 30_000 + (late_us if i == 8 else 0) for i in range(20)])
    assert deltas == [None] * 2 + [BOTH] * 7 + [None, (60_000, 60_000)] + [BOTH] * 9


def test_a_packet_overtaken_within_a_burst_keeps_the_sum() -> None:
    """Late by 65 ms, and so behind the first packet of the two frames sent after it."""
    deltas = [each for each in deltas_of([i * 30_000 + (65_000 if i == 8 else 0) for i in range(20)]) if each]
    assert sum(each[0] for each in deltas) == 18 * 30_000
    assert sum(each[1] for each in deltas) == 18 * 30_000


def test_reports_that_come_late_cost_one_delta() -> None:
    """Nothing was read for 4 s; the arrivals in it went on as ever."""
    ia = InterArrivalFace()
    deltas = []
    for i in range(10):
        deltas.append(ia.add(i * 30_000, i * 30_000, i * 30_000 + (4_000_000 if i >= 5 else 0)))
    assert deltas == [None, None] + [(30_000, 30_000)] * 4 + [None] + [(30_000, 30_000)] * 3


def test_a_time_out_of_range_is_an_error() -> None:
    for times in [(1 << 60, 0, 0), (0, -(1 << 60), 0), (0, 0, 1 << 60)]:
        with pytest.raises(ValueError, match="time"):
            InterArrivalFace().add(*times)


times = st.integers(-(1 << 60) + 1, (1 << 60) - 1) | st.integers(-50_000, 50_000)


@given(st.lists(st.tuples(times, times, times), max_size=60))
def test_no_times_break_it(packets: list[tuple[int, int, int]]) -> None:
    ia = InterArrivalFace()
    for packet in packets:
        deltas = ia.add(*packet, 1200)
        if deltas:
            assert 0 <= deltas[0] < 1 << 61, "groups close in order of sending"
            assert -500_000 < deltas[1] < 1 << 61


@given(
    st.lists(st.tuples(st.integers(5_001, 80_000), st.integers(-20_000, 60_000)), min_size=3, max_size=80),
    st.integers(-(1 << 59), 1 << 59),
    st.integers(-(1 << 59), 1 << 59),
)
def test_deltas_know_no_offset(steps: list[tuple[int, int]], send_offset: int, arrival_offset: int) -> None:
    plain, moved = InterArrivalFace(), InterArrivalFace()
    send_us = arrival_us = 0
    for step_us, wait_us in steps:
        send_us += step_us
        arrival_us += wait_us + 20_000
        deltas = plain.add(send_us, arrival_us, send_us)
        assert deltas == moved.add(send_us + send_offset, arrival_us + arrival_offset, send_us)
