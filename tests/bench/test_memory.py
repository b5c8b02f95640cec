"""What a transport and a consumer take: the sums are right, and every consumer works."""

import resource

import pytest

from mediarouter.bench.memory import allow_descriptors, memory, spread, summary


@pytest.mark.parametrize(
    ("transports", "consumers", "found"),
    [(1000, 10_000, (100, 100)), (10, 30, (1, 30)), (100, 10_000, (100, 100)), (20, 250, (2, 100))],
)
def test_consumers_are_spread_over_subscribers(transports, consumers, found):
    assert spread(transports, consumers) == found


def test_too_few_transports_or_descriptors_are_told():
    with pytest.raises(ValueError, match="10000 consumers need 100 transports"):
        spread(99, 10_000)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pytest.raises(ValueError, match="file descriptors are needed"):
        allow_descriptors(hard + 1)


def test_each_step_is_divided_by_what_it_added():
    steps = {"start": 1000, "opened": 3000, "joined": 9000, "producers": 9500, "consumers": 11_500, "working": 12_500}
    figures = summary(10, 20, steps)
    assert (figures["transport_opened_bytes"], figures["transport_bytes"]) == (200, 800)
    assert (figures["consumer_idle_bytes"], figures["consumer_bytes"]) == (100, 150)


@pytest.mark.e2e
def test_all_consumers_work_and_memory_is_of_this_world():
    figures = memory(30, 600, 2.5)
    assert (figures["consumers"], figures["producers"], figures["flowing"]) == (600, 100, 600)
    assert figures["packets"] == pytest.approx(600 * 2.5, rel=0.4)
    assert figures["lost"] == figures["damaged"] == figures["refused"] == 0
    assert 2_000 < figures["transport_bytes"] < 500_000
    assert 500 < figures["consumer_bytes"] < 50_000
