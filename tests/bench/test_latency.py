"""Added latency: what is through the router less what goes past it, at a load that was asked for."""

import pytest

from mediarouter.bench.latency import added, latency
from mediarouter.bench.meeting import Meeting
from mediarouter.bench.rooms import NEAR, Room, Rooms


def test_the_median_past_the_router_is_subtracted():
    assert added({"p50": 300, "p99": 2000, "p99.9": 4000, "max": 9}, {"p50": 20, "p99": 90}) == {
        "p50": 280,
        "p99": 1980,
        "p99.9": 3980,
    }
    assert added({"p50": 3, "p99": 3, "p99.9": 3}, {"p50": 5})["p50"] == 0


class Machine(Meeting):
    """A meeting whose engine needs a given share of a core for each room."""

    def __init__(self, cost) -> None:
        self.cost, self.loud, self.opened = cost, 0, 0

    def add_direct(self, load) -> None: ...

    def add_publishers(self, load, count):
        self.opened += load.kind == "video"
        return [0] * count

    def add_subscribers(self, count, producers) -> None: ...

    def source(self, load):
        return self

    def limit(self, count) -> None:
        self.loud = (count - 1) // 4

    def measure(self, seconds):
        return {"engine_share": min(1.0, self.cost(self.loud))}


@pytest.mark.parametrize(
    "cost",
    [lambda rooms: 0.05 * rooms, lambda rooms: 0.2 + 0.03 * rooms, lambda rooms: 0.02 * rooms + 0.001 * rooms**2],
    ids=["even", "dear at first", "dear at last"],
)
def test_rooms_open_until_the_load_is_found(cost):
    machine = Machine(cost)
    rooms = Rooms(machine, Room(4, 16))
    tries = [figures["engine_share"] for figures in rooms.fill(0.7)]
    assert abs(cost(machine.loud) - 0.7) <= NEAR * 0.7 and machine.loud == rooms.loud <= machine.opened
    assert len(tries) <= 8


def test_rooms_that_are_too_many_fall_silent():
    machine = Machine(lambda rooms: 0.1 if rooms == 1 else 0.3 * rooms)
    rooms = Rooms(machine, Room(4, 16))
    list(rooms.fill(0.7))
    assert (machine.loud, rooms.loud, machine.opened) == (2, 2, 4)


@pytest.mark.e2e
def test_a_small_load_is_found_and_measured():
    figures = latency(Room(1, 2), 0.03, 1.0)
    assert figures["lost"] == figures["damaged"] == figures["refused"] == figures["unread"] == 0
    assert figures["rooms"] >= 1 and 0.005 < figures["engine_share"] < 0.5
    for kind in ("video", "audio"):
        quantiles = figures[f"{kind}_added_us"]
        assert 0 < quantiles["p50"] <= quantiles["p99"] <= quantiles["p99.9"] < 50_000
    assert figures["direct_us"]["count"] > 0 and figures["direct_us"]["p50"] < figures["video_added_us"]["p50"]
