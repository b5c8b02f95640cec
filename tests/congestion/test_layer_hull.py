"""One stream's layers: which are wanted, and the hull, beside another way to find it."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion._layer_hull import LayerHull, utility

Row = tuple[int, int, int, int, int, int]  # spatial, temporal, bitrate_bps, utility, height, fps


def table(points: list[tuple[int, int]]) -> list[Row]:
    return [(i // 8, i % 8, bitrate_bps, worth, 0, 0) for i, (bitrate_bps, worth) in enumerate(points)]


SIMULCAST = [
    (spatial, temporal, bitrate_bps * share // 10, utility(height * height * 16 // 9, fps), height, fps)
    for spatial, (bitrate_bps, height) in enumerate([(150_000, 180), (500_000, 360), (1_500_000, 720)])
    for temporal, (share, fps) in enumerate([(5, 8), (7, 15), (10, 30)])
]


def monotone_chain(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Upper hull from the cheapest point to the most useful one, by sorting (Andrew), exact."""
    best: dict[int, int] = {}
    for bitrate_bps, worth in points:
        best[bitrate_bps] = max(worth, best.get(bitrate_bps, -1))
    hull: list[tuple[int, int]] = []
    for x, y in sorted(best.items()):
        if hull and y <= max(worth for _, worth in hull):
            continue
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2:]
            if Fraction(y1 - y0, x1 - x0) >= Fraction(y - y1, x - x1):
                break
            hull.pop()
        hull.append((x, y))
    return hull


POINTS = st.lists(st.tuples(st.integers(1, (1 << 40) - 1), st.integers(0, 0xFFFFF)), min_size=1, max_size=32)
CLOSE_POINTS = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), min_size=1, max_size=32)


@settings(deadline=None)
@given(POINTS | CLOSE_POINTS)
def test_corners_are_those_of_the_monotone_chain(points: list[tuple[int, int]]) -> None:
    hull = LayerHull(table(points))
    assert [points[i] for i in hull.corners()] == monotone_chain(points)
    highest = hull.highest()
    assert highest is not None
    assert points[highest] == monotone_chain(points)[-1]


@settings(deadline=None)
@given(CLOSE_POINTS, st.integers(0, 13))
def test_a_limit_gives_the_hull_of_what_is_below(points: list[tuple[int, int]], limit_bps: int) -> None:
    corners = LayerHull(table(points)).corners(limit_bps)
    below = [point for point in points if point[0] <= limit_bps]
    assert [points[i] for i in corners] == (monotone_chain(below) if below else [])


def test_a_layer_under_the_hull_is_passed_over() -> None:
    assert LayerHull(table([(100, 10), (200, 11), (300, 30), (400, 31), (500, 30)])).corners() == [0, 2, 3]


def test_of_equal_slopes_the_nearest_is_next() -> None:
    assert LayerHull(table([(100, 10), (300, 30), (200, 20), (400, 40)])).corners() == [0, 2, 1, 3]


def test_absent_layers_are_none() -> None:
    hull = LayerHull(table([(0, 500), (100, 10), (0, 900), (200, 20)]))
    assert hull.corners() == [1, 3] and hull.highest() == 3 and hull.wanted() == [1, 3]
    assert LayerHull(table([(0, 5)])).wanted() == LayerHull([]).wanted() == LayerHull([]).corners() == []
    assert LayerHull([]).highest() is None


def test_a_wish_limits_layers() -> None:
    hull = LayerHull(SIMULCAST)
    assert hull.wanted() == list(range(9))
    assert hull.wanted(max_spatial=1) == [0, 1, 2, 3, 4, 5]
    assert hull.wanted(max_temporal=0) == [0, 3, 6]
    assert hull.wanted(min_spatial=1, min_temporal=1) == [4, 5, 7, 8]
    assert hull.wanted(max_height=360) == [0, 1, 2, 3, 4, 5]
    assert hull.wanted(max_height=400, max_fps=15) == [0, 1, 3, 4]


def test_a_wish_that_nothing_fits_gives_way() -> None:
    hull = LayerHull(SIMULCAST[3:])
    assert hull.wanted(max_spatial=1, min_spatial=2) == [0, 1, 2], "the minimum first"
    assert hull.wanted(max_height=180) == [0], "then the limits, for the cheapest layer"
    assert hull.wanted(max_spatial=0, max_temporal=0) == [0]


def test_the_corners_of_a_simulcast_stream() -> None:
    # four times the pixels for 3.3 times the bits
    assert [SIMULCAST[i][:2] for i in LayerHull(SIMULCAST).corners()][0] == (0, 0)
    assert [SIMULCAST[i][:2] for i in LayerHull(SIMULCAST).corners()][-1] == (2, 2)


@given(st.integers(1, (1 << 62) - 1), st.integers(0, 65_535))
def test_utility_is_a_logarithm(pixels: int, fps: int) -> None:
    exact = 1024 * (math.log2(pixels) + (math.log2(fps) / 2 if fps else 0))
    assert exact - 2 < utility(pixels, fps) <= exact + 1e-6


def test_four_times_the_pixels_are_always_worth_the_same() -> None:
    assert utility(4 * 57_600, 30) - utility(57_600, 30) == 2048 == utility(4 * 921_600, 30) - utility(921_600, 30)
    assert utility(57_600, 32) - utility(57_600, 8) == 1024
    assert utility(0, 30) == utility(-5, 30) == 0


def test_more_than_32_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="32 layers"):
        LayerHull([(0, 0, 1, 1, 0, 0)] * 33)
