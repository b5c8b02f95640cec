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


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(-5000, 4_000_000), min_size=1, max_size=20), st.integers(0, 1 << 45))
def test_within_a_turn_of_the_wheel_the_next_deadline_is_exact(waits, now_us):
    wheel = TimerWheelFace()
    wheel.arm(63, now_us)
    assert wheel.poll(now_us) == 63
    armed = {number: now_us + wait_us for number, wait_us in enumerate(waits)}
    for number, deadline_us in armed.items():
        wheel.arm(number, deadline_us)
    while armed:
        due_us = wheel.next_deadline_us()
        assert due_us == max(min(armed.values()), 0)
        now_us = max(now_us, due_us)
        while (number := wheel.poll(now_us)) is not None:
            assert armed.pop(number) <= now_us
    assert wheel.next_deadline_us() == -1


def test_a_timer_that_re_arms_itself_ticks_on():
    wheel, ticks = TimerWheelFace(), []
    wheel.arm(0, 20_000)
    for now_us in range(0, 10_000_000, 500):
        while wheel.poll(now_us) is not None:
            ticks.append(now_us)
            wheel.arm(0, now_us + 20_000)
    assert ticks == list(range(20_000, 10_000_000, 20_000))


def test_a_turn_apart_in_one_slot_they_do_not_disturb_each_other():
    wheel, turn_us = TimerWheelFace(), 4096 * 1024
    for number in range(5):
        wheel.arm(number, 7000 + number * turn_us)
    for number in range(5):
        assert wheel.poll(7000 + number * turn_us - 1) is None
        assert wheel.poll(7000 + number * turn_us) == number
    assert wheel.next_deadline_us() == -1


def test_a_timer_may_be_cancelled_out_of_any_place_of_its_slot():
    for cancelled in range(4):
        wheel = TimerWheelFace()
        for number in range(4):
            wheel.arm(number, 50_000)
        wheel.cancel(cancelled)
        wheel.cancel(cancelled)
        fired = {wheel.poll(50_000) for _ in range(3)}
        assert fired == {0, 1, 2, 3} - {cancelled}
        assert wheel.poll(1 << 40) is None


def test_re_arming_moves_a_timer_either_way():
    wheel = TimerWheelFace()
    wheel.arm(0, 100_000)
    wheel.arm(0, 10_000)
    assert (wheel.next_deadline_us(), wheel.poll(10_000), wheel.poll(200_000)) == (10_000, 0, None)
    wheel.arm(0, 300_000)
    wheel.arm(0, 900_000)
    assert (wheel.poll(899_999), wheel.poll(900_000), wheel.poll(1 << 40)) == (None, 0, None)


@given(st.lists(st.integers(0, 1 << 45), min_size=1, max_size=20))
def test_timers_that_may_be_late_fall_due_together(deadlines):
    wheel = TimerWheelFace()
    for number, deadline_us in enumerate(deadlines):
        wheel.arm_coarsely(number, deadline_us)
        alone = TimerWheelFace()
        alone.arm_coarsely(0, deadline_us)
        assert alone.poll(deadline_us - 1) is None
        assert alone.poll(deadline_us + 65_536) == 0
    now_us = max(deadlines) + 65_536
    assert sorted(iter(lambda: wheel.poll(now_us), None)) == list(range(len(deadlines)))


def test_the_reports_of_64_receivers_wake_the_sleeper_sixteen_times_a_second():
    wheel, now_us, wakes = TimerWheelFace(), 0, 0
    for number in range(64):
        wheel.arm_coarsely(number, number * 15_625)
    while now_us < 1_000_000:
        now_us = wheel.next_deadline_us()
        wakes += 1
        while (number := wheel.poll(now_us)) is not None:
            wheel.arm_coarsely(number, now_us + 1_000_000)
    assert wakes <= 17
