"""A bounded queue for one receiver: order, framing, and what goes first when it is full."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter._backlog import BacklogFace

CONTROL, AUDIO, VIDEO, ENHANCEMENT = range(4)
MAX = 262144


def numbered(number: int, size: int = 1000) -> bytes:
    return number.to_bytes(4, "big") + bytes(size - 4)


def numbers(queue: BacklogFace) -> list[int]:
    waiting, found, at = queue.waiting, [], 0
    for size in queue.sizes:
        found.append(int.from_bytes(waiting[at : at + 4], "big"))
        at += size
    assert at == len(waiting)
    return found


def filled(kinds: list[int]) -> BacklogFace:
    """A queue with a packet of each of these classes, and full up with video behind them."""
    queue = BacklogFace()
    for number, kind in enumerate(kinds):
        assert queue.push(numbered(number), kind) == 0
    number = len(kinds)
    while len(queue.waiting) + 1000 <= MAX:
        assert queue.push(numbered(number), VIDEO) == 0
        number += 1
    return queue


def test_packets_leave_as_they_came():
    queue = BacklogFace()
    for number in range(100):
        assert queue.push(numbered(number), VIDEO) == 0
    assert numbers(queue) == list(range(100))
    queue.take(3000)
    assert numbers(queue) == list(range(3, 100))


def test_a_framed_packet_stands_behind_its_length():
    queue = BacklogFace(framed=True)
    queue.push(b"abc", CONTROL)
    queue.push(b"", CONTROL)
    assert queue.waiting == b"\x00\x03abc\x00\x00" and queue.sizes == [5, 2]


def test_a_packet_that_is_half_way_out_is_finished_first():
    queue = filled([ENHANCEMENT, ENHANCEMENT, VIDEO])
    queue.take(400)
    assert queue.push(numbered(900, 1300), AUDIO) == 1
    assert queue.sizes[0] == 1000 and len(queue.waiting) == 600 + sum(queue.sizes[1:])
    queue.take(600)
    assert numbers(queue)[0] == 2, "the enhancement packet that had not begun is gone, the one before it was sent whole"


def test_the_oldest_enhancement_goes_first_then_the_oldest_video():
    queue = filled([VIDEO, AUDIO, ENHANCEMENT, CONTROL, ENHANCEMENT])
    for expected in ([2], [2, 4], [2, 4, 0], [0, 2, 4, 5]):
        assert queue.push(numbered(1000 + len(expected)), VIDEO) == 1
        assert [number for number in range(6) if number not in numbers(queue)] == sorted(expected)


def test_an_enhancement_packet_does_not_push_out_video():
    queue = filled([AUDIO])
    before = numbers(queue)
    assert queue.push(numbered(999), ENHANCEMENT) == 1
    assert numbers(queue) == before


def test_audio_pushes_out_video_but_is_never_pushed_out():
    queue = filled([])
    pushed = 0
    while queue.push(numbered(5000 + pushed), AUDIO) <= 1:
        pushed += 1
        assert pushed <= 600
        if len(queue.waiting) > 2 * MAX - 1000:
            break
    assert numbers(queue) == list(range(5000, 5000 + pushed)), "audio alone is left, in order"
    assert pushed * 1000 > MAX, "and it may take more room than video"
    assert queue.push(numbered(1), AUDIO) == 1, "but not without a bound"
    assert queue.push(numbered(1), VIDEO) == 1
    assert len(queue.waiting) <= 2 * MAX


def test_a_queue_that_was_emptied_starts_anew():
    queue = filled([AUDIO] * 3)
    queue.take(len(queue.waiting))
    assert queue.waiting == b"" and queue.sizes == []
    assert queue.push(b"next", VIDEO) == 0
    assert queue.waiting == b"next"


def test_a_packet_too_long_for_its_length_is_refused():
    queue = BacklogFace(framed=True)
    assert queue.push(bytes(65535), AUDIO) == 1
    assert queue.waiting == b""


steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(0, 3000), st.sampled_from([CONTROL, AUDIO, VIDEO, ENHANCEMENT])),
        st.tuples(st.just("take"), st.integers(0, 20000), st.just(0)),
    ),
    max_size=300,
)


@given(steps=steps, framed=st.booleans())
def test_whatever_comes_what_is_kept_is_whole_and_in_order(steps, framed):
    queue = BacklogFace(framed)
    model: list[bytes] = []
    begun = 0
    for step, (what, amount, kind) in enumerate(steps):
        if what == "push":
            body = step.to_bytes(4, "big") * (amount // 4)
            lost = queue.push(body, kind)
            assert lost == 0, "less than the limit is queued here"
            model.append((len(body).to_bytes(2, "big") if framed else b"") + body)
        else:
            amount = min(amount, len(queue.waiting))
            queue.take(amount)
            begun += amount
            while model and begun >= len(model[0]):
                begun -= len(model.pop(0))
            begun = 0 if not model else begun
        if sum(map(len, model)) > MAX - 4000:
            break
        assert queue.waiting == b"".join(model)[begun:]
        assert queue.sizes == [len(part) for part in model]


@pytest.mark.parametrize("kind", [VIDEO, ENHANCEMENT])
def test_the_bound_holds_whatever_is_pushed(kind):
    queue = BacklogFace()
    lost = sum(queue.push(numbered(n, 4 + n * 37 % 1200), kind) for n in range(1500))
    assert lost == 1500 - len(queue.sizes) > 0
    assert len(queue.waiting) <= MAX
