"""Order, sums and times of what waits for one viewer."""

from hypothesis import given
from hypothesis import strategies as st

from mediarouter._pace_queue import PacedQueue

MS, S = 1_000, 1_000_000
BEGIN_US = 3 * S
CONSUMER = 77


def busy(rate_bps: int = 1_000_000) -> PacedQueue:
    """One whose burst is used up."""
    queue = PacedQueue(rate_bps)
    queue.sent(rate_bps // 8 // 50, BEGIN_US)  # 20 ms
    return queue


def taken(queue: PacedQueue, now_us: int) -> list[int]:
    out = []
    while (held := queue.take(now_us)) is not None:
        out.append(held[1])
    return out


def test_nothing_waits_while_there_is_room():
    queue = PacedQueue(1_000_000)
    assert not queue.hold(CONSUMER, 1, 1000, False, BEGIN_US)
    assert queue.figures == (0, 0, 0, 0)
    assert queue.due_us(BEGIN_US) == -1
    assert queue.take(BEGIN_US) is None
    assert queue.wait_us(BEGIN_US) == 0


def test_retransmissions_leave_first_and_else_order_is_kept():
    queue = busy()
    for seq, again in ((1, False), (2, True), (3, False), (4, True)):
        assert queue.hold(CONSUMER, seq, 10, again, BEGIN_US)
    assert queue.figures[:3] == (4, 40, 4)
    assert taken(queue, BEGIN_US) == []
    assert queue.due_us(BEGIN_US) == BEGIN_US + 15 * MS
    assert taken(queue, BEGIN_US + 15 * MS) == [2]
    assert taken(queue, BEGIN_US + 20 * MS) == [4, 1, 3]
    assert queue.figures == (0, 0, 4, 20 * MS)


def test_what_comes_goes_behind_what_waits():
    queue = busy()
    assert queue.hold(CONSUMER, 1, 10, False, BEGIN_US)
    assert queue.hold(CONSUMER, 2, 10, False, BEGIN_US + S), "though there would be room again"
    assert queue.wait_us(BEGIN_US + S) == S
    assert taken(queue, BEGIN_US + S) == [1, 2]


def test_who_is_in_a_hurry_gets_the_next():
    queue = busy()
    queue.hold(CONSUMER, 9, 1200, True, BEGIN_US)
    assert queue.take(BEGIN_US) is None
    assert queue.take(BEGIN_US, hurried=True) == (CONSUMER, 9, 1200, True, BEGIN_US)


def test_more_than_can_be_held_leaves_at_once():
    queue = busy()
    assert sum(queue.hold(CONSUMER, seq & 0xFFFF, 1000, False, BEGIN_US) for seq in range(5000)) == 4096
    assert queue.hold(CONSUMER, 1, 1000, True, BEGIN_US), "retransmissions have room of their own"


steps = st.one_of(
    st.tuples(st.just("hold"), st.integers(1, 1500), st.booleans()),
    st.tuples(st.just("wait"), st.integers(0, 20 * MS)),
    st.tuples(st.just("take")),
)


@given(st.integers(10_000, 100_000_000), st.lists(steps, max_size=300))
def test_whatever_happens_all_leave_once_and_in_order(rate_bps: int, happenings: list[tuple]) -> None:
    queue, now_us = PacedQueue(rate_bps), BEGIN_US
    waiting: dict[bool, list[int]] = {False: [], True: []}
    sizes: dict[int, int] = {}

    def take() -> None:
        while (held := queue.take(now_us)) is not None:
            _, seq, size, again, at_us = held
            assert waiting[again].pop(0) == seq
            assert not again or not waiting[True] or waiting[True][0] > seq
            assert again or not waiting[True], "retransmissions first"
            assert sizes[seq] == size
            assert 0 <= now_us - at_us

    for seq, (action, *values) in enumerate(happenings):
        if action == "hold":
            sizes[seq] = values[0]
            if queue.hold(CONSUMER, seq, *values, now_us):
                waiting[values[1]].append(seq)
            else:
                assert not waiting[True] and not waiting[False]
        elif action == "wait":
            now_us += values[0]
        else:
            take()
        assert queue.figures[0] == len(waiting[True]) + len(waiting[False])
        assert queue.figures[1] == sum(sizes[one] for some in waiting.values() for one in some)
    while (due_us := queue.due_us(now_us)) >= 0:
        assert due_us > now_us
        now_us = due_us
        take()
    assert queue.figures[:2] == (0, 0)
