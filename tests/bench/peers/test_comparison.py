"""Turns, ratios and failures of the comparison, with routers that exist by word only."""

import pytest

from mediarouter.bench.clients import JoinError
from mediarouter.bench.load import Load
from mediarouter.bench.peers import comparison
from mediarouter.bench.peers.comparison import OURS, Contender, compare, figures
from mediarouter.bench.peers.crowd import Round
from mediarouter.bench.peers.peer import Missing
from mediarouter.bench.peers.processes import PeerError
from mediarouter.srtp import Profile


def a_round(cpu_ns: int, packets: int = 1000, **changed) -> Round:
    values = {"seconds": 1.0, "sent": 100, "lost": 0, "damaged": 0, "refused": 0, "padding": 0, "latency_us": {}}
    return Round(cpu_ns=cpu_ns, packets=packets, **(values | changed))


class VirtualPeer:
    """What it costs in each of its rounds; an exception instead of a cost goes wrong."""

    def __init__(self, costs) -> None:
        self.costs = iter(costs)
        self.version = "1.2"
        self.started = self.closed = 0

    def start(self, setting):
        assert list(setting.folder.iterdir()) == []
        self.started += 1
        self.cost = next(self.costs)
        if isinstance(self.cost, Missing):
            raise self.cost
        return self

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def virtual(monkeypatch):
    order = []

    def install(**peers):
        monkeypatch.setattr(comparison, "STARTERS", {name: peer.start for name, peer in peers.items()})

        def measure(peer, load, seconds):
            order.append(next(name for name, other in peers.items() if other is peer))
            if isinstance(peer.cost, Exception):
                raise peer.cost
            return a_round(peer.cost)

        monkeypatch.setattr(comparison, "measure", measure)
        return order

    return install


def test_each_router_is_started_filled_and_ended_once_a_round(virtual, tmp_path):
    ours, other = VirtualPeer([1000, 2000, 4000]), VirtualPeer([10_000, 10_000, 10_000])
    told = []
    order = virtual(mediarouter=ours, other=other)
    found = compare(["other"], Load(subscribers=10), 3, tmp_path, profile=Profile.AES128_CM_SHA1_80, report=told.append)
    assert order == [OURS, "other"] * 3 and (ours.closed, other.closed) == (3, 3)
    assert told[1] == "other, round 1 of 3"
    assert (found["subscribers"], found["profile"]) == (10, "AES128_CM_SHA1_80")
    assert found["routers"]["other"]["ratio"] == 5, "the median of 10, 5 and 2.5"
    assert found["routers"][OURS]["ratio"] == 1
    assert found["routers"]["other"]["rounds_ns"] == [10, 10, 10]


def test_what_is_missing_or_fails_leaves_the_others_alone(virtual, tmp_path):
    absent, unlucky = VirtualPeer([Missing("apt-get install it")]), VirtualPeer([JoinError("no way in"), 9000])
    ours = VirtualPeer([1000, 1000])
    virtual(mediarouter=ours, absent=absent, unlucky=unlucky)
    found = compare(["absent", "unlucky"], Load(), 2, tmp_path)["routers"]
    assert found["absent"] == {"missing": "apt-get install it"} and absent.started == 1
    assert found["unlucky"]["failures"] == ["round 1: no way in"] and unlucky.closed == 2
    assert (found["unlucky"]["ratio"], found["unlucky"]["rounds_ns"]) == (9, [9])


def test_where_ours_failed_there_is_no_ratio(virtual, tmp_path):
    virtual(mediarouter=VirtualPeer([PeerError("no")]), other=VirtualPeer([5000]))
    found = compare(["other"], Load(), 1, tmp_path)["routers"]
    assert found[OURS] == {"version": "1.2", "failures": ["round 1: no"]}
    assert found["other"]["ratio"] is None and found["other"]["ns_per_packet"] == 5


def test_a_mistake_of_the_callers_is_no_failure_of_a_router(virtual, tmp_path):
    ours = VirtualPeer([ValueError("a bug")])
    virtual(mediarouter=ours)
    with pytest.raises(ValueError, match="a bug"):
        compare([], Load(), 1, tmp_path)
    assert ours.closed == 1


def test_figures_add_up_losses_and_say_what_arrived():
    rounds = {
        0: a_round(4000, 990, lost=10, damaged=1),
        1: a_round(6000, 1000, lost=5, refused=2, latency_us={"p50": 7}),
    }
    contender = Contender("other", "1", rounds=rounds)
    found = figures(contender, Contender(OURS, rounds={0: a_round(1000), 1: a_round(2000)}), Load(subscribers=10))
    assert (found["lost"], found["damaged"], found["refused"], found["arrived"]) == (15, 1, 2, 0.995)
    assert found["ns_per_packet"] == round((4000 / 990 + 6) / 2, 1)
    assert found["packets_per_cpu_second"] == pytest.approx((990e9 / 4000 + 1000e9 / 6000) / 2, rel=0.001)
    assert found["ratio"] == round((4000 / 990 + 3) / 2, 2) and found["latency_us"] == {"p50": 7}
    assert a_round(0, 0).ns_per_packet == 0 and a_round(0, 0).packets_per_cpu_second == 0
