"""What was sent is found until it is a minute old or 4,096 packets back; what became of it is counted once."""

import hypothesis.strategies as st
from hypothesis import given

from mediarouter.congestion._send_history import SendHistoryFace

FIRST = 65536  # numbers begin here


def test_a_packet_is_found_by_its_number():
    history = SendHistoryFace()
    history.add(10, 1200, 5_000, cluster=3)
    history.add(11, 100, 6_000)
    assert history.find(FIRST + 10) == ("open", 5_000, 1200, 3)
    assert history.find(FIRST + 11) == ("open", 6_000, 100, 0)
    assert history.find(FIRST + 9) is None
    assert history.find(FIRST + 12) is None
    assert history.in_flight_bytes == 1300


def test_what_is_settled_is_no_longer_in_flight_and_lost_may_become_received():
    history = SendHistoryFace()
    history.add(10, 1200, 0)
    history.add(11, 300, 0)
    assert history.settle(FIRST + 10, False)
    assert (history.find(FIRST + 10)[0], history.in_flight_bytes) == ("lost", 300)
    history.settle(FIRST + 10, True)
    assert (history.find(FIRST + 10)[0], history.in_flight_bytes) == ("received", 300)
    assert not history.settle(FIRST + 99, True)


def test_numbers_wrap():
    history = SendHistoryFace()
    for number in range(65_530, 65_542):
        history.add(number & 0xFFFF, 100, number)
    assert history.unwrap(65_535) == FIRST + 65_535
    assert history.unwrap(3) == FIRST + 65_539
    assert history.find(FIRST + 65_539)[1] == 65_539


def test_the_ring_forgets_what_is_4096_packets_back():
    history = SendHistoryFace()
    for number in range(10_000):
        history.add(number & 0xFFFF, 100, number)
    assert history.find(FIRST + 10_000 - 4096)[1] == 10_000 - 4096
    assert history.find(FIRST + 10_000 - 4097) is None
    assert history.in_flight_bytes == 4096 * 100


def test_what_is_older_than_a_minute_is_forgotten_however_little_is_sent():
    history = SendHistoryFace()
    for second in range(6_000):  # longer than the 71 minutes that the times have room for
        history.add(second, 100, second * 1_000_000)
    assert history.find(FIRST + 5_939)[1] == 5_939_000_000
    assert history.find(FIRST + 5_938) is None
    assert history.in_flight_bytes == 61 * 100


def test_after_a_long_silence_nothing_of_before_is_known():
    history = SendHistoryFace()
    history.add(1, 100, 0)
    history.add(2, 100, 5_000_000_000)
    assert history.find(FIRST + 1) is None
    assert history.find(FIRST + 2) == ("open", 5_000_000_000, 100, 0)
    assert history.in_flight_bytes == 100


def test_a_number_that_does_not_ascend_is_not_taken():
    history = SendHistoryFace()
    history.add(100, 100, 1)
    history.add(100, 999, 2)
    history.add(99, 999, 3)
    assert history.find(FIRST + 100) == ("open", 1, 100, 0)
    assert history.find(FIRST + 99) is None


def test_it_is_small():
    assert SendHistoryFace().memory_size <= 33_000


@given(
    st.lists(
        st.tuples(
            st.integers(1, 5_000),  # step of the number
            st.integers(0, 30_000_000),  # of the time
            st.integers(0, 70_000),  # bytes
            st.lists(st.tuples(st.integers(0, 5_000), st.booleans()), max_size=4),  # what is settled: how far back
        ),
        max_size=60,
    )
)
def test_it_says_what_a_plain_dictionary_says(steps):
    history, plain, newest, now_us = SendHistoryFace(), {}, FIRST - 1, 0
    for step, later_us, size, settled in steps:
        newest, now_us = newest + step, now_us + later_us
        history.add(newest & 0xFFFF, size, now_us)
        if later_us > 60_000_000 or step > 4_096:
            plain.clear()
        plain[newest] = ["open", now_us, min(size, 65_535), 0]
        for back, received in settled:
            if history.settle(newest - back, received):
                plain[newest - back][0] = "received" if received else "lost"
        kept = {n: p for n, p in plain.items() if n > newest - 4096 and now_us - p[1] <= 60_000_000}
        plain = kept
        assert history.in_flight_bytes == sum(p[2] for p in plain.values() if p[0] == "open")
        for number in (newest, newest - 1, newest - 4095, newest - 4096, *list(plain)[:5]):
            found = history.find(number)
            assert (list(found) if found else None) == plain.get(number)
