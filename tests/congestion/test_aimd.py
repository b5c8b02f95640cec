"""The rate that a path's delay allows; cases of libwebrtc's AIMD tests where they have figures."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion._aimd import AimdFace

NOW_US = 123_456_000
SECOND_US = 1_000_000


def at(bps: int, **limits: int) -> AimdFace:
    aimd = AimdFace(**limits)
    aimd.set_estimate(bps, NOW_US)
    return aimd


def run(aimd: AimdFace, acked_bps: int, seconds: float, now_us: int = NOW_US, in_alr: bool = False) -> int:
    """Normal use, ten updates a second; the time then."""
    for _ in range(int(10 * seconds)):
        aimd.update("normal", acked_bps, now_us, in_alr)
        now_us += 100_000
    return now_us


def test_near_capacity_it_grows_by_4_kbps_a_second_at_least() -> None:
    assert at(30_000).increase_bps == 4_000


def test_near_capacity_it_grows_by_half_a_packet_per_response_time() -> None:
    assert at(90_000).increase_bps == 5_000, "375 bytes in 2 * 300 ms"
    aimd = at(60_000)
    aimd.set_rtt(100_000)
    assert aimd.increase_bps == 5_000, "250 bytes in 2 * 200 ms"
    assert at(216_000).increase_bps == 12_000


def test_before_the_first_cut_the_period_is_3_s() -> None:
    aimd = AimdFace(300_000)
    assert aimd.period_us == 3_000_000
    aimd.update("over", 280_000, NOW_US)
    assert aimd.period_us != 3_000_000


def test_a_cut_while_all_got_through_is_not_the_path_s() -> None:
    """As much as was allowed arrived: the cut says nothing of how long one takes here."""
    aimd = at(300_000)
    assert aimd.update("over", 300_000, NOW_US) == 250_000
    assert aimd.increase_bps == pytest.approx(14_000, abs=1_000)
    assert aimd.period_us == 3_000_000


def test_a_typical_drop_takes_4_s() -> None:
    aimd = at(264_000)
    assert aimd.update("over", -(-221_000 * 100 // 85), NOW_US + 100_000) == 216_000
    assert aimd.increase_bps == 12_000
    assert aimd.period_us == 4_000_000


def test_the_period_is_2_to_50_s() -> None:
    aimd = at(10_000)
    aimd.update("over", 9_999, NOW_US + 100_000)
    assert aimd.period_us == 2_000_000
    aimd = at(10_010_000)
    aimd.update("over", 10_000 * 100 // 85, NOW_US + 100_000)
    assert aimd.period_us == 50_000_000


def test_growth_ends_at_one_and_a_half_of_what_gets_through() -> None:
    aimd = at(10_000)
    run(aimd, 10_000, 20)
    assert aimd.target_bps == 25_000


def test_less_that_gets_through_stops_growth_and_does_not_cut() -> None:
    aimd = at(10_000)
    now_us = run(aimd, 10_000, 20)
    assert aimd.update("normal", 5_000, now_us) == 25_000


def test_unknown_capacity_is_approached_by_8_percent_a_second() -> None:
    aimd = at(1_000_000)
    run(aimd, 5_000_000, 10.1)
    assert aimd.target_bps == pytest.approx(1_000_000 * 1.08**10, rel=0.002)


def test_known_capacity_is_approached_in_small_steps() -> None:
    aimd = at(1_000_000)
    aimd.update("over", 1_000_000, NOW_US)
    assert aimd.target_bps == 845_000
    assert aimd.capacity_bps == 1_000_000
    now_us = run(aimd, 1_000_000, 0.2, NOW_US + 100_000)
    before_bps, increase_bps = aimd.target_bps, aimd.increase_bps
    run(aimd, 1_000_000, 2, now_us)
    assert aimd.target_bps - before_bps == pytest.approx(2 * increase_bps, rel=0.1)


def test_a_throughput_beyond_the_capacity_is_another_link() -> None:
    aimd = at(1_000_000)
    aimd.update("over", 500_000, NOW_US)
    assert aimd.capacity_bps == 500_000
    aimd.update("normal", 545_000, NOW_US + 100_000)
    assert aimd.capacity_bps == -1, "42.4 kbit/s are three deviations"
    aimd.update("over", 500_000, NOW_US + 200_000)
    aimd.update("over", 300_000, NOW_US + 300_000)
    assert aimd.capacity_bps == 300_000, "and so is one far below"


def test_before_anything_is_known_5_s_of_throughput_make_it() -> None:
    aimd = AimdFace()
    assert aimd.update("normal", 123_000, NOW_US) == -1
    assert aimd.update("normal", -1, NOW_US + 5_000_001) == -1
    now_us = NOW_US + 5_000_001
    assert aimd.update("normal", 123_000, now_us) == pytest.approx(124_000), "and the first kilobit of growth"
    run(aimd, -1, 10, now_us)
    assert aimd.target_bps <= 123_000 * 1.5 + 10_000
    assert aimd.target_bps > 190_000


def test_overuse_makes_the_first_estimate_at_once() -> None:
    aimd = AimdFace()
    assert aimd.update("over", 200_000, NOW_US) == 165_000


def test_in_alr_it_does_not_grow() -> None:
    aimd = at(123_000)
    run(aimd, 123_000, 10, in_alr=True)
    assert aimd.target_bps == 123_000
    aimd.set_estimate(246_000, NOW_US)
    assert aimd.target_bps == 246_000, "but by a probe"


def test_out_of_alr_it_grows() -> None:
    aimd = at(123_000)
    run(aimd, 123_000, 10)
    assert aimd.target_bps > 123_000


def test_overuse_cuts_to_85_percent_of_what_gets_through_less_5_kbps() -> None:
    assert at(1_000_000).update("over", 400_000, NOW_US) == 335_000
    assert at(1_000_000).update("over", 5_000, NOW_US) == 5_000
    assert at(1_000_000, min_bps=1_000).update("over", 5_000, NOW_US) == 4_250


def test_overuse_never_raises_the_rate() -> None:
    aimd = at(300_000)
    assert aimd.update("over", 2_000_000, NOW_US) == 300_000
    assert aimd.capacity_bps == 2_000_000
    aimd = at(500_000)
    aimd.update("over", 400_000, NOW_US)
    assert aimd.target_bps == 335_000
    assert aimd.update("over", 412_000, NOW_US + 100_000) == 335_000, "85 % of a capacity of 400 kbit/s would be more"


def test_a_cut_is_by_the_capacity_where_what_gets_through_is_more_than_the_rate() -> None:
    aimd = at(500_000)
    aimd.update("over", 400_000, NOW_US)
    aimd.set_estimate(342_000, NOW_US)
    assert aimd.update("over", 420_000, NOW_US + 100_000) == 340_000


def test_it_holds_while_a_queue_empties() -> None:
    aimd = at(300_000)
    now_us = run(aimd, 300_000, 1)
    held_bps = aimd.target_bps
    for _ in range(10):
        assert aimd.update("under", 300_000, now_us) == held_bps
        now_us += 100_000
    aimd.update("normal", 300_000, now_us)
    assert held_bps <= aimd.target_bps <= held_bps + 1_000, "the time on hold is no time of growth"


def test_a_cut_may_follow_after_a_round_trip() -> None:
    aimd = at(300_000)
    aimd.set_rtt(50_000)
    assert not aimd.may_reduce(200_000, NOW_US + 49_999)
    assert aimd.may_reduce(200_000, NOW_US + 50_000)
    assert aimd.may_reduce(149_999, NOW_US), "at once where less than half gets through"
    assert not aimd.may_reduce(150_000, NOW_US)
    aimd.set_rtt(5_000_000)
    assert aimd.may_reduce(200_000, NOW_US + 200_000), "200 ms at most"
    aimd.set_rtt(0)
    assert not aimd.may_reduce(200_000, NOW_US + 9_999), "10 ms at least"
    assert not aimd.may_reduce(-1, NOW_US + 9_999)
    assert aimd.may_reduce(-1, NOW_US + 10_000)
    assert not AimdFace().may_reduce(-1, NOW_US), "nothing to cut"


def test_it_stays_within_its_limits() -> None:
    aimd = AimdFace(300_000, 100_000, 400_000)
    run(aimd, 1_000_000, 20)
    assert aimd.target_bps == 400_000
    aimd.update("over", 0, NOW_US)
    assert aimd.target_bps == 100_000
    aimd.set_limits(200_000, 250_000)
    assert aimd.target_bps == 200_000
    aimd.set_estimate(10_000_000, NOW_US)
    assert aimd.target_bps == 250_000
    assert AimdFace(1, 5_000).target_bps == 5_000
    unknown = AimdFace()
    unknown.set_limits(1_000, 2_000)
    assert unknown.target_bps == -1


def test_a_wrong_argument_is_an_error() -> None:
    for limits in [(0, 1), (2, 1), (1, (1 << 50) + 1)]:
        with pytest.raises(ValueError, match="min_bps"):
            AimdFace(-1, *limits)
        with pytest.raises(ValueError, match="min_bps"):
            AimdFace().set_limits(*limits)
    with pytest.raises(ValueError, match="rate"):
        AimdFace(-2)
    with pytest.raises(ValueError, match="rate"):
        AimdFace().update("normal", -2, 0)
    with pytest.raises(ValueError, match="rate"):
        AimdFace().set_estimate((1 << 50) + 1, 0)
    with pytest.raises(ValueError, match="time"):
        AimdFace().update("normal", 1, 1 << 60)
    with pytest.raises(KeyError):
        AimdFace().update("odd", 1, 0)


times = st.integers(-(1 << 60) + 1, (1 << 60) - 1) | st.integers(0, 10_000_000)
rates = st.integers(-1, 1 << 50) | st.integers(-1, 5_000_000)
updates = st.tuples(st.sampled_from(["normal", "over", "under"]), rates, times, st.booleans())


@settings(deadline=None)
@given(
    st.lists(updates, max_size=100),
    rates,
    st.integers(1, 1 << 50) | st.integers(1, 100_000),
    st.integers(1, 1 << 50) | st.integers(1, 10_000_000),
    st.integers(-(1 << 62), 1 << 62),
)
def test_the_target_is_within_its_limits(
    moves: list[tuple[str, int, int, bool]], start_bps: int, one_bps: int, other_bps: int, rtt_us: int
) -> None:
    min_bps, max_bps = sorted((one_bps, other_bps))
    aimd = AimdFace(start_bps, min_bps, max_bps)
    aimd.set_rtt(rtt_us)
    before_bps = aimd.target_bps
    for usage, acked_bps, now_us, in_alr in moves:
        target_bps = aimd.update(usage, acked_bps, now_us, in_alr)
        assert target_bps == -1 or min_bps <= target_bps <= max_bps
        if before_bps >= 0:
            assert target_bps >= 0
            assert usage != "over" or target_bps <= before_bps
            assert usage != "under" or target_bps == before_bps
            assert usage != "normal" or target_bps >= before_bps
            assert not (in_alr and usage == "normal") or target_bps == before_bps
        before_bps = target_bps
        assert aimd.increase_bps >= 4_000
        assert 2_000_000 <= aimd.period_us <= 50_000_000
