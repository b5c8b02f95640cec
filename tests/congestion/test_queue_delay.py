"""What a packet waits is its delay above the least of ten seconds, whatever the clocks say."""

import pytest

from mediarouter.congestion._queue_delay import QueueDelayFace


@pytest.mark.parametrize("offset_us", [0, 10**12, -(10**12)])
def test_waiting_is_delay_above_the_least(offset_us):
    queue = QueueDelayFace()
    waits = [queue.add(ms * 1000, ms * 1000 + 50_000 + extra + offset_us) for ms, extra in enumerate([0, 700, 0, 9000])]
    assert waits == [0, 700, 0, 9000]
    assert queue.add(4_000, 4_000 + 40_000 + offset_us) == 0, "less than ever"
    assert queue.add(5_000, 5_000 + 50_000 + offset_us) == 10_000


def test_the_least_is_forgotten_after_ten_seconds():
    queue = QueueDelayFace()
    queue.add(0, 10_000)
    waits = [queue.add(second * 1_000_000, second * 1_000_000 + 60_000) for second in range(1, 13)]
    assert waits[:9] == [50_000] * 9
    assert waits[9:] == [0] * 3, "the route is longer now"


def test_after_a_long_silence_it_begins_anew():
    queue = QueueDelayFace()
    queue.add(0, 10_000)
    assert queue.add(60_000_000, 60_090_000) == 0
