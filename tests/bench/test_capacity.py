"""The search finds the largest number that holds, and says who failed."""

import pytest

from mediarouter.bench.capacity import capacity, largest, verdict
from mediarouter.bench.load import Load


@pytest.mark.parametrize("limit", [0, 1, 5, 99, 100, 101, 399, 400, 1234, 3999, 4000, 9999])
def test_the_largest_that_holds_is_found_to_a_twentieth(limit):
    asked: list[int] = []

    def holds(count: int) -> bool:
        asked.append(count)
        return count <= limit

    found = largest(holds, 100, 4000)
    reachable = min(limit, 4000)
    assert found <= reachable and reachable - found <= max(1, 0.05 * found)
    assert max(asked) <= 4000 and len(asked) == len(set(asked)) <= 14


def figures_of(**changed) -> dict:
    received = {"latency_us": {"p99": 900}, "lost": 0, "damaged": 0, "refused": 0, "overrun": 0}
    unread = changed.pop("unread", 0)
    return {
        "packets": 10_000,
        "seconds": 2.0,
        "engine_share": 0.5,
        "sink_share": 0.4,
        "unread": unread,
        "received": received | changed,
    }


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""),
        ({"lost": 1}, "packets were lost"),
        ({"latency_us": {"p99": 1001}}, "packets were late"),
        ({"lost": 9, "overrun": 9}, "the subscribers' thread was too slow"),
        ({"unread": 500}, ""),
        ({"unread": 501}, "the subscribers' thread was too slow"),
        ({"damaged": 1}, "packets were damaged"),
        ({"refused": 2, "lost": 1}, "packets were lost, packets were damaged"),
    ],
)
def test_a_try_holds_when_nothing_is_lost_and_all_is_in_time(changed, fault):
    found = verdict(7, figures_of(**changed), 1000)
    assert (found["holds"], found["fault"], found["count"]) == (not fault, fault, 7)
    assert found["packets_per_second"] == 5000


@pytest.mark.e2e
@pytest.mark.parametrize("of", ["subscribers", "publishers"])
def test_a_small_crowd_is_borne(of):
    figures = capacity(Load(2, 2, seconds=0.5), of, 49_000, 5)
    assert figures[f"most_{of}"] == 5 and figures["limited_by"] == "the most that was to be tried"
    assert [(one["count"], one["lost"]) for one in figures["tries"]] == [(2, 0), (4, 0), (5, 0)]
    assert figures["tries"][2]["packets_per_second"] == pytest.approx(5 * 2 * 180, rel=0.1)


@pytest.mark.e2e
def test_who_is_too_many_falls_silent_and_comes_back():
    from contextlib import closing

    from mediarouter.bench.crowd import Publishers, Subscribers
    from mediarouter.bench.meeting import Meeting
    from mediarouter.bench.router_under_test import RouterProcess

    for kind, load in ((Subscribers, Load(1, 0)), (Publishers, Load(0, 1))):
        with closing(Meeting(RouterProcess())) as meeting:
            crowd = kind(meeting, load)
            for count in (4, 1, 3):
                crowd.resize(count)
                figures = meeting.measure(0.5)
                assert figures["packets"] / figures["seconds"] == pytest.approx(count * 180, rel=0.15)
                assert (figures["received"]["flowing"], figures["received"]["lost"]) == (count, 0)
