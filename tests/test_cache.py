"""The retransmission slab against a dictionary."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter._cache import PacketCacheFace

DUPLICATE, TOO_OLD, TOO_LARGE = -7, -8, -28
SECOND = 1_000_000


@dataclass
class Model:
    """What the slab promises, without saying how."""

    capacity: int
    max_age_us: int
    packets: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    newest: int = -1

    def allowed(self, seq: int, now_us: int) -> set[int]:
        """Results that inserting may have."""
        if seq < 0 or (self.newest >= 0 and seq <= self.newest - self.capacity):
            return {TOO_OLD}
        if seq not in self.packets:
            return {0}
        young = now_us - self.packets[seq][1] <= self.max_age_us
        return {DUPLICATE} if young else {DUPLICATE, 0}

    def insert(self, seq: int, data: bytes, now_us: int) -> None:
        self.packets[seq] = data, now_us
        self.newest = max(self.newest, seq)

    def find(self, seq: int, now_us: int) -> bytes | None:
        data, arrival_us = self.packets.get(seq, (None, 0))
        if data is None or now_us - arrival_us > self.max_age_us or seq <= self.newest - self.capacity:
            return None
        return data

    def held(self, now_us: int) -> int:
        return sum(self.find(seq, now_us) is not None for seq in self.packets)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("on"), st.integers(1, 3), st.integers(0, 30_000)),  # the stream goes on, some are lost
        st.tuples(st.just("on"), st.integers(1, 300), st.integers(0, 300_000)),  # an outage
        st.tuples(st.just("late"), st.integers(0, 600), st.integers(0, 1_000)),  # so far behind the newest
        st.tuples(st.just("expire"), st.just(0), st.integers(0, 3 * SECOND)),
        st.tuples(st.just("clear"), st.just(0), st.integers(0, 100)),
    ),
    max_size=150,
)


@settings(max_examples=400, deadline=None)
@given(steps, st.sampled_from([1, 64, 100, 256, 512]), st.integers(0, 1 << 40))
def test_any_history_is_kept_as_a_dictionary_would(script, capacity, first):
    cache = PacketCacheFace(capacity, SECOND, 64)
    model = Model(max(64, 1 << (capacity - 1).bit_length()), SECOND)
    newest, now_us, count = first, 0, 0
    for what, amount, wait_us in script:
        now_us += wait_us
        if what == "clear":
            cache.clear()
            model = Model(model.capacity, SECOND)
        elif what == "expire":
            cache.expire(now_us)
            assert cache.blocks == model.held(now_us)
        else:
            newest = newest + amount if what == "on" else newest
            seq = newest if what == "on" else newest - amount
            data = count.to_bytes(4, "big") * (1 + count % 16)
            count += 1
            allowed, result = model.allowed(seq, now_us), cache.insert(seq, data, now_us)
            assert result in allowed
            if result == 0:
                model.insert(seq, data, now_us)
        for seq in range(newest - 10, newest + 2):
            assert cache.find(seq, now_us) == model.find(seq, now_us)
    for seq in model.packets:
        assert cache.find(seq, now_us) == model.find(seq, now_us)
    assert cache.capacity <= model.capacity


def test_an_idle_stream_costs_nothing_and_a_busy_one_grows():
    cache = PacketCacheFace(2048, SECOND)
    assert (cache.capacity, cache.pool_bytes) == (0, 0)
    cache.insert(70_000, b"first", 0)
    assert cache.capacity == 64
    for i in range(1, 1000):
        cache.insert(70_000 + i, b"more", i * 1000)
    assert cache.capacity == 1024
    assert all(cache.find(70_000 + i, 999_000) for i in range(1000))
    for i in range(1000, 10_000):
        cache.insert(70_000 + i, b"more", i * 1000)
    assert cache.capacity == 1024  # a thousand packets a second, one second kept


def test_a_slow_stream_keeps_its_small_ring_and_few_blocks():
    cache = PacketCacheFace(2048, SECOND)
    for i in range(1000):
        assert cache.insert(i, b"x", i * 20_000) == 0
        assert cache.blocks <= 52
    assert cache.capacity == 64


def test_memory_of_the_past_goes_back_to_the_pool():
    cache = PacketCacheFace(2048, SECOND)
    for i in range(1500):
        cache.insert(i, b"x", i)
    held = cache.pool_bytes
    for i in range(1500, 2000):
        cache.insert(i, b"x", 2 * SECOND + i)
    assert cache.pool_bytes == held
    assert cache.blocks == 500
    cache.expire(4 * SECOND)
    assert cache.blocks == 0


def test_what_is_too_old_is_still_known_as_seen():
    cache = PacketCacheFace(64, SECOND)
    cache.insert(5, b"x", 0)
    cache.insert(6, b"y", 2 * SECOND)
    assert cache.find(5, 2 * SECOND) is None
    assert cache.insert(5, b"x", 2 * SECOND) == DUPLICATE


def test_a_lost_packet_finds_its_place_though_a_newer_one_stands_there():
    cache = PacketCacheFace(1024, SECOND)
    for seq in range(10):
        cache.insert(seq, b"old", 0)
    for seq in (*range(11, 80), *range(85, 200)):
        cache.insert(seq, b"%d" % seq, 2 * SECOND)
    for lost in (10, 80, 84):
        assert cache.insert(lost, b"recovered", 2 * SECOND) == 0
        assert cache.find(lost, 2 * SECOND) == b"recovered"
    assert all(cache.find(seq, 2 * SECOND) == b"%d" % seq for seq in (*range(11, 80), *range(85, 200)))


def test_r9_whichever_copy_comes_first_is_kept():
    cache = PacketCacheFace(64, SECOND)
    assert cache.insert(100, b"by RTX", 0) == 0
    assert cache.insert(100, b"original", 10) == DUPLICATE
    assert cache.find(100, 10) == b"by RTX"


@pytest.mark.parametrize("seq", [-1, -5, -70_000])
def test_numbers_that_cannot_be_are_refused(seq):
    cache = PacketCacheFace(64, SECOND)
    for _ in range(2):
        assert cache.insert(seq, b"x", 0) == TOO_OLD
        assert cache.find(seq, 0) is None
        cache.insert(1, b"y", 0)


@pytest.mark.parametrize("size", [0, 1, 63, 64])
def test_sizes_up_to_the_block(size):
    cache = PacketCacheFace(64, SECOND, 64)
    assert cache.insert(1, b"\xaa" * size, 0) == 0
    assert cache.find(1, 0) == b"\xaa" * size
    assert cache.insert(2, bytes(65), 0) == TOO_LARGE
    assert cache.find(2, 0) is None


def test_a_block_is_never_shared():
    cache = PacketCacheFace(256, SECOND, 64)
    for i in range(3000):
        cache.insert(i, i.to_bytes(4, "big") * 16, i * 5000)
        if i % 7 == 0:
            cache.expire(i * 5000)
    for i in range(2800, 3000):
        assert cache.find(i, 2999 * 5000) == i.to_bytes(4, "big") * 16


@pytest.mark.parametrize("size", [0, -1, 65_473, 1 << 20])
def test_a_senseless_block_size_is_refused(size):
    with pytest.raises(ValueError, match="block_size"):
        PacketCacheFace(64, SECOND, size)
