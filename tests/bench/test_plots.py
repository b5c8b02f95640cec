"""Every picture can be drawn from figures of the shape that its benchmark gives."""

from typing import Any

import pytest

from mediarouter.bench import display, plots
from mediarouter.bench.capacity import summary as capacity_summary
from mediarouter.bench.capacity import verdict
from mediarouter.bench.cost_curve import ONE, PUBLISHED, SUBSCRIBED
from mediarouter.bench.load import Load
from mediarouter.bench.memory import summary as memory_summary
from tests.bench.test_capacity import figures_of

QUANTILES = {"p50": 300, "p99": 900, "p99.9": 2000}
STEPS = ("start", "opened", "joined", "producers", "consumers", "working")
FIGURES: dict[str, dict[str, Any]] = {
    "fanout": {
        "rounds_ns": [[3000, 2000], [3100, 2100]],
        "publishers": 1,
        "subscribers": 100,
        "kind": "video",
        "ratio": 1.5,
    },
    "floor": {"publishers": 1, "subscribers": 2, "burst": 6, "floor_ns_per_packet": 2000.0, "profile": "GCM"},
    "latency": {
        "video_added_us": QUANTILES,
        "audio_added_us": QUANTILES,
        "packets_per_second": 9,
        "engine_share": 0.5,
    },
    "memory": memory_summary(10, 20, {name: (number + 1) << 20 for number, name in enumerate(STEPS)}),
    "handshake": {
        **{f"{kind}_added_us{suffix}": QUANTILES for kind in ("video", "audio") for suffix in ("", "_with_joins")},
        "joins_per_second": 300.0,
        "router_us_per_join": 900,
    },
    "capacity": capacity_summary(
        Load(1, 100),
        "subscribers",
        1000,
        100,
        [verdict(100, figures_of(), 1000), verdict(200, figures_of(lost=1), 1000)],
    ),
    "cost_curve": {
        "dearest_to_cheapest": dict.fromkeys((ONE, SUBSCRIBED, PUBLISHED), 2.0),
        "points": [
            {"series": series, "publishers": count, "subscribers": count, "ns_per_packet": 9000 / count}
            for series in (ONE, SUBSCRIBED, PUBLISHED)
            for count in (1, 3, 10)
        ],
    },
}


@pytest.mark.parametrize("name", FIGURES)
def test_pictures_are_drawn(name, tmp_path):
    draw = getattr(plots, f"draw_{name}")
    path = tmp_path / "figures.png"
    display.check_plot(path)
    display.save(draw, FIGURES[name], path)
    with path.open("rb") as picture:
        assert picture.read(4) == b"\x89PNG"
    assert path.stat().st_size > 5000


def test_each_benchmark_has_its_picture():
    assert {name.removeprefix("draw_") for name in vars(plots) if name.startswith("draw_")} == set(FIGURES)


def test_a_name_of_no_picture_is_refused(tmp_path):
    with pytest.raises(ValueError, match=".exe is no format of pictures"):
        display.check_plot(tmp_path / "figures.exe")
