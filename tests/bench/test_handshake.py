"""Clients that come in while media flows: all of them do, and their cost is told."""

import pytest

from mediarouter.bench.handshake import handshake, summary
from mediarouter.bench.joins import Joins, Outcome
from mediarouter.bench.router_under_test import RouterProcess
from mediarouter.transports.dtls import DtlsCertificate


def round_of(engine_share: float, router_share: float, p99_us: int) -> dict:
    quantiles = {"p50": 100, "p99": p99_us, "p99.9": 3000}
    received = {"video_us": quantiles, "audio_us": quantiles, "direct_us": {"p50": 10}, "lost": 0}
    return {
        "engine_share": engine_share,
        "router_share": router_share,
        "seconds": 10.0,
        "packets": 50_000,
        "received": received,
        "unread": 0,
    }


def test_what_a_join_costs_is_the_time_of_the_threads_beside_the_engine():
    outcome = Outcome(joined=2000, failed=1, times_ms=[float(n) for n in range(101)], client_cpu_ns=3_000_000_000)
    figures = summary(300.0, outcome, round_of(0.5, 0.5, 900), round_of(0.52, 0.82, 1000))
    assert (figures["joins_per_second"], figures["failed"]) == (200.0, 1)
    assert figures["router_us_per_join"] == pytest.approx(1500) and figures["client_us_per_join"] == 1500
    assert figures["join_ms"] == {"p50": 50.0, "p99": 99.0}
    assert (figures["video_added_us"]["p99"], figures["audio_added_us_with_joins"]["p99"]) == (890, 990)


@pytest.mark.e2e
def test_everybody_who_comes_is_let_in():
    router = RouterProcess()
    try:
        outcome = Joins(router, DtlsCertificate.generate(), 40).run(1.5)
        assert outcome.failed == 0 and 30 <= outcome.joined <= 61 == 1 + 40 * 1.5
        assert len(outcome.times_ms) == outcome.joined and min(outcome.times_ms) > 0.5
        assert outcome.client_cpu_ns > outcome.joined * 100_000
        assert router.figures()["counters"]["datagrams_received"] >= 3 * outcome.joined
    finally:
        router.close()


@pytest.mark.e2e
def test_media_flows_meanwhile():
    figures = handshake(20, 1.0, 0.03)
    assert 5 <= figures["joins_per_second"] <= 21 and figures["failed"] == figures["lost"] == 0
    assert figures["router_us_per_join"] > 200 and figures["client_us_per_join"] > 200
    assert figures["alone_joins_per_second"] > 20
    assert figures["alone_router_us_per_join"] > 200 and figures["alone_engine_us_per_join"] > 20
    assert 0.5 < figures["stun_us"] < 100 and figures["stun_unanswered"] == 0
    assert figures["stun_answer_us"] > 5
