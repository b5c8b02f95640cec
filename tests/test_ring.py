"""The ring between two threads: order, wrapping, fullness, and two real threads at once."""

import threading
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter._ring import RingFace


def test_records_come_out_as_they_went_in():
    ring = RingFace(4096)
    for data in (b"", b"a", bytes(range(200)), b"x" * 1500):
        assert ring.write(data)
    assert ring.read() is None, "nothing is published yet"
    ring.publish()
    assert [ring.read() for _ in range(5)] == [b"", b"a", bytes(range(200)), b"x" * 1500, None]


def test_a_full_ring_refuses_and_takes_again_what_was_freed():
    ring = RingFace(4096)
    count = 0
    while ring.write(b"r" * 56):
        count += 1
    assert count == 64, "a record of 56 bytes and its header are a grain"
    ring.publish()
    assert not ring.write(b"")
    assert ring.read() == b"r" * 56
    assert ring.write(b"new") and not ring.write(b"")


def test_what_is_spared_is_left_for_others():
    ring = RingFace(4096)
    while ring.write(b"r" * 56, spare=1024):
        pass
    assert sum(ring.write(b"s" * 56) for _ in range(100)) == 16


def test_a_record_is_never_torn_by_the_end():
    ring = RingFace(4096)
    for number in range(1000):
        data = bytes((number % 256,)) * (number * 37 % 1300)
        assert ring.write(data)
        ring.publish()
        assert ring.read() == data


@pytest.mark.parametrize("size", [0, 1, 2048, 4097, 12288])
def test_sizes_that_cannot_be_masked_are_refused(size):
    with pytest.raises(ValueError, match="power of two"):
        RingFace(size)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=1500), st.sampled_from(["publish", "read"])), max_size=120))
def test_it_is_a_bounded_queue_whose_reader_sees_what_was_published(actions):
    ring = RingFace(8192)
    written: deque[bytes] = deque()
    published: deque[bytes] = deque()
    for action in actions:
        if isinstance(action, bytes):
            if ring.write(action):
                written.append(action)
            else:
                held = sum((len(r) + 8 + 63) // 64 * 64 for r in [*written, *published])
                assert held + 2 * (len(action) + 72) > 8192, "it refused though there was room"
        elif action == "publish":
            ring.publish()
            published.extend(written)
            written.clear()
        else:
            assert ring.read() == (published.popleft() if published else None)
    ring.publish()
    for expected in [*published, *written]:
        assert ring.read() == expected
    assert ring.read() is None


@pytest.mark.parametrize(("size", "batch"), [(4096, 1), (16384, 7), (1 << 20, 64)])
def test_two_threads_lose_nothing_and_see_nothing_half_written(size, batch):
    count = 200_000
    ring = RingFace(size)
    results: dict[str, int] = {}
    threads = [
        threading.Thread(target=lambda: results.update(full=ring.write_many(count, batch))),
        threading.Thread(target=lambda: results.update(right=ring.read_many(count))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert results["right"] == count
    assert ring.read() is None
