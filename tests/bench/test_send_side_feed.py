"""What is measured of the estimator is what it does: reports are taken, each once, and it begins anew alike."""

import pytest

from mediarouter.bench._send_side_feed import VIEWER_BYTES, SendSideFeed, feed_all
from mediarouter.congestion import SendSideEstimator
from mediarouter.rtcp import Twcc


def report(base: int, statuses: int) -> bytes:
    return bytes(Twcc(1, 2, base, [(base + i) * 1000 + 20_000 for i in range(statuses)]))


def made(before: int = 30, count: int = 10, statuses: int = 50) -> SendSideFeed:
    every = [report(i * statuses, statuses) for i in range(before + count)]
    return SendSideFeed(every[:before], every[before:], statuses, 1000)


def test_each_report_tells_of_all_its_packets_once():
    feed = made()
    assert feed.feed(0, 10) == 500
    assert feed.feed(0, 10) == 0
    assert feed.target_bps > 1_000_000


def test_it_begins_anew_alike():
    feed = made()
    feed.feed(0, 4)
    after = feed.target_bps
    feed.send(1000)
    feed.reset()
    assert feed.feed(0, 4) == 200 and feed.target_bps == after


def test_it_is_the_estimator_of_the_library():
    feed, plain = made(), SendSideEstimator()
    for seq in range(1500):
        plain.on_packet_sent(seq, 1200, seq * 1000)
        if seq % 50 == 49:
            now_us = (seq + 1) * 1000 + 50_000
            plain.on_feedback(report(seq - 49, 50), now_us)
            plain.poll(now_us)
    assert feed.target_bps == plain.target_bps


def test_viewers_take_turns():
    feeds = [made() for _ in range(3)]
    assert feed_all(feeds, 0, 5) == 3 * 250
    assert feed_all(feeds, 5, 5) == 3 * 250
    assert len({feed.target_bps for feed in feeds}) == 1


@pytest.mark.parametrize(("count", "statuses"), [(41, 100), (1, 4001), (1, 0)])
def test_more_than_the_history_holds_is_refused(count, statuses):
    with pytest.raises(ValueError, match="4,000"):
        SendSideFeed([], [b""] * count, statuses, 1000)


def test_a_viewer_is_small():
    assert 50_000 < VIEWER_BYTES <= 64 * 1024
