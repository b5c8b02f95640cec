"""One hostile participant: what it sends, and that everybody else is served."""

import signal
import subprocess
import sys

import psutil
import pytest

from mediarouter.bench.hostile import hostile, summary
from mediarouter.bench.malformed import Malformed
from mediarouter.bench.rooms import Room


def part(p99: int, *, plis: int = 0, dropped: int = 0, resent: int = 0, rss: int = 10_000) -> dict:
    """The figures of one part of a round."""
    times = {"p50": 100, "p99": p99, "p99.9": 3000}
    received = {"latency_us": times, "direct_us": {"p50": 10}, "lost": 0, "damaged": 0, "refused": 0, "overrun": 0}
    return {
        "received": received,
        "sent": {"video": {"plis": plis}},
        "counters": {
            "dropped_srtp_auth": dropped,
            "dropped_rtp_short": 0,
            "rtp_packets_resent": resent,
            "kernel_dropped": 0,
        },
        "seconds": 5.0,
        "packets": 50_000,
        "engine_share": 0.5,
        "rss_bytes": rss,
    }


def test_the_ratio_is_the_median_of_the_rounds():
    pairs = [(part(1010), part(1110)), (part(510), part(2510)), (part(2010), part(2210))]
    figures = summary(pairs, 4)
    assert figures["p99_ratios"] == [1.1, 5.0, 1.1] and figures["p99_ratio"] == 1.1 and figures["reached"]
    assert figures["added_us"] == {"p50": 90, "p99": 1000, "p99.9": 2990}
    assert figures["added_us_hostile"]["p99"] == 2200 and figures["lost"] == [0, 0] and not figures["overloaded"]


def test_too_slow_or_too_many_requests_for_key_frames_is_no_success():
    assert not summary([(part(1010), part(1310))], 4)["reached"]
    assert summary([(part(1010), part(1010, plis=44))], 4)["reached"]
    assert not summary([(part(1010), part(1010, plis=45))], 4)["reached"]


def test_loss_of_others_is_no_success_and_loss_before_is_too_much_load():
    lossy = part(1010)
    lossy["received"] = lossy["received"] | {"lost": 1}
    figures = summary([(part(1010), lossy)], 4)
    assert not figures["reached"] and not figures["overloaded"] and figures["lost"] == [0, 1]
    figures = summary([(lossy, part(1010))], 4)
    assert figures["overloaded"] and figures["lost"] == [1, 0]


def test_only_what_was_counted_while_it_was_hostile_counts():
    pairs = [(part(10, dropped=7, resent=9), part(10, dropped=3, resent=10, rss=10_000))]
    pairs.append((part(10), part(10, dropped=4, rss=10_500)))
    figures = summary(pairs, 1)
    assert figures["dropped"] == {"srtp_auth": 7} and figures["resent_per_second"] == 1
    assert figures["rss_growth_bytes"] == 500


@pytest.mark.e2e
def test_everybody_else_gets_everything():
    figures = hostile(0.02, 1.5, 1, room=Room(1, 6))
    sent = figures["sent_by_the_hostile"]
    assert set(Malformed.KINDS) <= set(sent) and sent["nack"] > 500 and sent["pli"] > 100 and sent["fir"] > 100
    assert sent["strange_check"] > 50 and sent["strange_noise"] > 50
    assert figures["lost"] == figures["damaged"] == figures["refused"] == [0, 0]
    assert figures["plis_per_publisher_per_second"] <= 3  # two a second, and one at the edge
    assert {"stun_unknown_ufrag", "unknown_address", "srtp_auth"} <= set(figures["dropped"])
    # its stream again, and the credit of the first second
    assert 0 < figures["resent_per_second"] <= 180 * 1.5 + 256


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["hostile", "soak"])
def test_ctrl_c_ends_it_with_its_router(name):
    process = subprocess.Popen(
        [sys.executable, "-m", "mediarouter.cli", "bench", name, "--load", "0.02"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        children: list[psutil.Process] = []
        while not children and process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=15) == ("", "") and process.returncode == 130
        assert len(children) == 1 and psutil.wait_procs(children, timeout=10)[1] == []
    finally:
        process.kill()
        process.communicate()
