"""The timer wheel against a sorted list."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter._timers import TimerWheelFace

operations = st.lists(
    st.one_of(
        st.tuples(st.just("arm"), st.integers(0, 15), st.integers(-50_000, 20_000_000)),
        st.tuples(st.just("cancel"), st.integers(0, 15), st.just(0)),
        st.tuples(st.just("pass"), st.just(0), st.integers(0, 9_000_000)),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(operations, st.integers(0, 1 << 45))
def test_every_timer_fires_once_when_it_is_due(script, start_us):
    wheel, now_us, armed = TimerWheelFace(), start_us, {}
    for what, number, value in script:
        if what == "arm":
            armed[number] = max(now_us + value, 0)
            wheel.arm(number, armed[number])
        elif what == "cancel":
            armed.pop(number, None)
            wheel.cancel(number)
        else:
            now_us += value
            fired = set()
            while (due := wheel.poll(now_us)) is not None:
                fired.add(due)
                assert armed.pop(due) <= now_us
            assert all(deadline > now_us for deadline in armed.values()), (fired, armed)
        due_us = wheel.next_deadline_us()
        if not armed:
            assert due_us == -1
        else:
            assert 0 <= due_us <= max(min(armed.values()), 0)


def test_a_sleeper_who_follows_the_deadlines_wakes_seldom():
    wheel, now_us, wakes = TimerWheelFace(), 0, 0
    wheel.arm(1, 60_000_000)
    while wheel.poll(now_us) is None:
        due_us = wheel.next_deadline_us()
        assert due_us > now_us
        now_us = due_us
        wakes += 1
    assert now_us == 60_000_000
    assert wakes < 40
