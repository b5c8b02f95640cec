"""Examples do what they say."""

import asyncio
import importlib.util
import random
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from mediarouter import WorkerPool
from mediarouter.net import pool as pools
from mediarouter.rtcp import Twcc
from mediarouter.testing.sim import SCENARIOS, find_estimator, score
from tests.web.door import Peer, offer, opus

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_many_cores_serves_a_room_over_two_workers(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr(pools, "SPREAD_AT", -1.0)
    spec = importlib.util.spec_from_file_location("many_cores", EXAMPLES / "many_cores.py")
    assert spec and spec.loader
    many_cores = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(many_cores)

    async def main():
        async with await WorkerPool.create(workers=2) as pool:
            app = Starlette(routes=many_cores.Service(pool).routes())
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sfu.test") as http:
                assert "sendonly" in (await http.get("/pub/demo")).text
                peers = [Peer(), Peer()]
                for peer, path, section in zip(
                    peers, ("/pub/demo", "/sub/demo"), ("sendonly", "recvonly"), strict=True
                ):
                    made = await http.post(path, content=offer(peer, f"audio {section}"))
                    assert made.status_code == 201
                    await peer.accept(made.text)
                peers[0].send_rtp(opus(1))
                assert await peers[1].payload() == b"opus 1"
                assert [load["transports"] for load in (await http.get("/load")).json()] == [1, 1]
                drained = (await http.post("/drain/1")).json()
                assert len(drained["still_there"]) == 1
                assert [load["draining"] for load in (await http.get("/load")).json()] == [False, True]
                assert (await http.post("/pub/demo", content="nonsense")).status_code == 400
                for peer in peers:
                    peer.close()

    asyncio.run(main())


@pytest.fixture(scope="module")
def delay_controller():
    return find_estimator(f"{EXAMPLES / 'delay_controller.py'}:DelayController")


def test_the_delay_controller_holds_the_queue_short_and_fills_the_link(delay_controller):
    """RFC 8867 section 5.1: the figures that docs/congestion.md tells."""
    told = {one.check.name: one.check.worst(one.values) for one in score(SCENARIOS["TC1"], delay_controller, range(3))}
    assert told["utilisation"] >= 0.9
    assert told["queue p95, ms"] <= 40
    assert told["loss"] <= 0.005


def test_the_delay_controller_stays_in_its_limits_whatever_comes(delay_controller):
    dice = random.Random(1)
    controller = delay_controller(500_000, 100_000, 3_000_000, 0)
    for now_us in range(0, 20_000_000, 10_000):
        controller.on_packet_sent(now_us // 10_000, 1200, now_us)
        base, forged_us = now_us // 10_000 - dice.randrange(300), dice.randrange(-(10**8), 10**8)
        report = bytes(Twcc(1, 2, base & 0xFFFF, [forged_us + dice.randrange(10**6) for _ in range(20)]))
        controller.on_feedback(report[: dice.choice([3, 20, None])], now_us)
        assert 100_000 <= controller.target_bps <= 3_000_000
    assert len(controller._sent) <= 8192


def test_examples_are_short():
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 120, path.name
