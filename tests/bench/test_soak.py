"""Clients come and go under load: what is left of them, what grew, and whether a packet vanished."""

import pytest

from mediarouter._engine import Engine
from mediarouter.bench.rooms import Room
from mediarouter.bench.router_under_test import RouterProcess
from mediarouter.bench.soak import balance, growth, left_behind, soak
from mediarouter.bench.visitors import Visitors, staying
from mediarouter.transports.dtls import DtlsCertificate

ROWS = {"transports": 0, "producers": 0, "consumers": 0}


def test_growth_is_told_for_each_client_that_came():
    samples = [(float(at), {"rss_bytes": 10_000_000 + 5_000 * at, "objects": 40_000}) for at in range(61)]
    figures = growth(samples, 30)
    assert figures["rss_growth_bytes_per_client"] == 10_000 and figures["objects_growth_per_client"] == 0
    assert figures["rss_growth"] == pytest.approx(0.0196, abs=0.0001) and not figures["flat"]
    assert figures["rss_bytes_at"] == {"0%": 10_000_000, "33%": 10_100_000, "67%": 10_200_000, "100%": 10_300_000}
    assert growth([(at, one | {"rss_bytes": 9_000_000}) for at, one in samples], 30)["flat"]


def test_what_is_left_is_what_was_not_there_before():
    before = {"rows": ROWS, "descriptors": 20, "threads": 3}
    after = {"rows": ROWS | {"consumers": 2}, "descriptors": 21, "threads": 3, "waiting": 0}
    figures = left_behind(before, after)
    assert figures["rows_left"]["consumers"] == 2 and figures["descriptors_left"] == 1 and figures["threads_left"] == 0
    assert staying(after) and not staying(before)


def test_a_packet_that_vanished_is_told():
    counters = Engine().counters() | {"rtp_copies_due": 10, "rtp_packets_forwarded": 9, "rtp_copies_left_late": 1}
    counters |= {"packets_out": 9, "datagrams_sent": 8}
    figures = balance(counters)
    assert figures["vanished"] == {"packets": 0, "copies": 0, "sent": 0, "datagrams": 1}
    assert (figures["copies_due"], figures["copies_sent"], figures["copies_left_out"]["late"]) == (10, 9, 1)


@pytest.mark.e2e
def test_visitors_leave_nothing_behind():
    router = RouterProcess()
    try:
        before = router.sample()
        visitors = Visitors(router, DtlsCertificate.generate(), [], 20)
        seen: list[int] = []
        visitors.run(1.0, lambda passed_s: seen.append(router.sample()["rows"]["transports"]))
        after = router.sample()
        assert 10 <= visitors.came <= 21 == 1 + 20 * 1.0 and max(seen) == visitors.came
        assert not staying(after) and after["descriptors"] == before["descriptors"]
    finally:
        router.close()


@pytest.mark.e2e
def test_a_short_soak_is_balanced_to_the_packet():
    figures = soak(0.1, 0.03, room=Room(1, 2))
    assert set(figures["vanished"].values()) == {0} and figures["copies_sent"] > 1000
    assert figures["copies_due"] == figures["copies_sent"] + sum(figures["copies_left_out"].values())
    assert not any(figures["rows_left"].values()) and figures["waiting_left"] == 0
    assert figures["descriptors_left"] == figures["threads_left"] == 0
    assert figures["lost"] == figures["damaged"] == figures["refused"] == 0 and figures["came_and_went"] >= 4
