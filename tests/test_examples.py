"""Examples do what they say."""

import asyncio
import importlib.util
from pathlib import Path

import httpx
from starlette.applications import Starlette

from mediarouter import WorkerPool
from mediarouter.net import pool as pools
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


def test_examples_are_short():
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 120, path.name
