"""Virtual time: order, ties, the past."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.testing.sim.clock import Clock


@given(st.lists(st.integers(0, 50), max_size=60))
def test_events_happen_in_the_order_of_time_and_then_of_asking(times):
    clock, happened = Clock(), []
    for number, time in enumerate(times):
        clock.call_at(time, lambda it: happened.append((clock.now_us, it)), number)
    assert clock.waiting == len(times)
    assert clock.run_until(100) == len(times)
    assert happened == sorted((time, number) for number, time in enumerate(times))
    assert (clock.now_us, clock.waiting) == (100, 0)


def test_what_is_later_waits():
    clock, happened = Clock(), []
    clock.call_at(10, happened.append, "a")
    clock.call_at(11, happened.append, "b")
    assert clock.run_until(10) == 1 and happened == ["a"]
    assert clock.run_until(10) == 0
    assert clock.run_until(11) == 1 and happened == ["a", "b"]


def test_an_event_may_ask_for_another_of_the_same_time():
    clock, happened = Clock(), []
    clock.call_at(5, lambda _: clock.call_at(5, happened.append, "b"))
    assert clock.run_until(5) == 2 and happened == ["b"]


def test_the_past_cannot_be_asked_for():
    clock = Clock()
    clock.run_until(7)
    with pytest.raises(ValueError, match="6 us is past: it is 7 us"):
        clock.call_at(6, print)
    clock.run_until(3)
    assert clock.now_us == 7
