"""How busy the engine's thread is, in virtual time."""

import pytest

from mediarouter._load_meter import LoadMeterFace


def run(meter: LoadMeterFace, share: float, *, begin_us: int, seconds: float) -> tuple[float, bool]:
    """Turns of a millisecond, of which the thread is awake for a share."""
    state = (0.0, False)
    for turn in range(int(seconds * 1000)):
        woke_us = begin_us + turn * 1000
        state = meter.note(woke_us, woke_us + int(share * 1000))
    return state


@pytest.mark.parametrize("share", [0.0, 0.1, 0.45, 0.55, 0.9])
def test_the_share_is_that_of_the_time_awake(share):
    measured, loaded = run(LoadMeterFace(), share, begin_us=1_000_000, seconds=2)
    assert measured == pytest.approx(share, abs=0.02)
    assert loaded is (share > 0.5)


def test_load_ends_later_than_it_begins():
    meter = LoadMeterFace()
    assert run(meter, 0.7, begin_us=1, seconds=1)[1]
    assert run(meter, 0.45, begin_us=1_000_001, seconds=1)[1]
    assert not run(meter, 0.35, begin_us=2_000_001, seconds=1)[1]
    assert not run(meter, 0.45, begin_us=3_000_001, seconds=1)[1]


def test_a_long_sleep_is_no_load_and_one_long_turn_is_not_yet():
    meter = LoadMeterFace()
    assert meter.note(1_000_000, 1_000_100) == (0.0, False)
    assert meter.note(5_000_000, 5_000_100)[0] == pytest.approx(0, abs=1e-3)
    assert not meter.note(5_000_100, 5_050_000)[1]
