"""When a link counts as jammed, and for how long."""

import pytest

from mediarouter.congestion._jam import JamFace

MS = 1000
SIZE = 1000


def packets(waits_ms: list[float], begin_us: int = 0, path_us: int = 20 * MS) -> list[tuple[int, int, int]]:
    """Sent at one moment, each after having waited for so long."""
    return [(begin_us, begin_us + path_us + round(wait * MS), SIZE) for wait in waits_ms]


def report(jam: JamFace, *waits_ms: float, path_us: int = 20 * MS) -> int:
    return jam.report(packets(list(waits_ms), path_us=path_us), round(waits_ms[-1] * MS))


def test_a_sudden_queue_tells_what_the_link_carries():
    jam = JamFace()
    assert report(jam, 0, 2, 4) == -1
    assert report(jam, 80, 96, 112) == 500_000 * 85 // 100  # a packet in 16 ms


@pytest.mark.parametrize("path_us", [0, 20 * MS, 10**12, -(10**12)])
def test_clocks_that_differ_do_not_matter(path_us: int) -> None:
    jam = JamFace()
    report(jam, 0, 2, 4, path_us=path_us)
    assert report(jam, 80, 96, 112, path_us=path_us) == 425_000


@pytest.mark.parametrize(
    "waits_ms",
    [(59, 75, 91), (0, 100, 200), (100, 100, 20), (80, 96), (80, 80, 80)],
    ids=["short", "one came at once", "the last did", "too few", "all in one moment"],
)
def test_what_may_be_something_else_is_not_a_jam(waits_ms: tuple[float, ...]) -> None:
    jam = JamFace()
    report(jam, 0, 0, 0)
    assert report(jam, *waits_ms) == -1


def test_a_queue_that_grows_slowly_is_for_the_trend_to_judge():
    jam = JamFace()
    assert all(report(jam, wait, wait + 8, wait + 16) == -1 for wait in range(0, 290, 29))


def test_it_lasts_until_the_queue_becomes_shorter():
    jam = JamFace()
    report(jam, 0, 0, 0)
    assert report(jam, 70, 78, 86) == 850_000
    assert report(jam, 86, 102, 118) == 850_000, "longer, but by little"
    assert report(jam, 118, 134, 150) == 425_000
    assert report(jam, 118, 134, 150) == 425_000
    assert report(jam, 117, 120, 130) == -1


def test_sizes_of_reports():
    with pytest.raises(ValueError, match="packets"):
        JamFace().report([], 0)
    with pytest.raises(ValueError, match="packets"):
        JamFace().report(packets([0.0] * 101), 0)
