"""A call over a link whose capacity changes: `unshare --net python -m tests.clients.shaped_call chromium|wrtc|direct`.

"chromium" and "wrtc" watch three simulcast publishers through a router, "direct" watches three videos that libwebrtc
sends itself. The figures are printed as one line of JSON; `--samples FILE` keeps what they are made of, every 20 ms.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mediarouter import Worker
from mediarouter.web.rooms import Room, Rooms
from mediarouter.web.whip import Doors
from tests.clients.chromium import EXECUTABLE, chromium
from tests.clients.encoded_layers import LAYERS, encode_audio, encode_video
from tests.clients.layered_publisher import LayeredPublisher
from tests.clients.shaped_figures import STEPS, figures
from tests.clients.shaped_link import NEAR, ShapedLink
from tests.clients.wrtc_direct import DirectSender
from tests.e2e.harness import Served, watch

PUBLISHERS = 3
SAMPLE_S = 0.02
Figures = Callable[[], Awaitable[list[dict[str, Any]]]]


async def publish(room: Room) -> list[LayeredPublisher]:
    """Three publishers, whose frames do not come at the same time; the first has a microphone, too."""
    layers, audio = [encode_video(*layer) for layer in LAYERS], encode_audio()
    publishers = []
    for number in range(PUBLISHERS):
        publisher = LayeredPublisher(layers, audio if number == 0 else None)
        connection = await room.connect(f"p{number}")
        transport = connection.transport
        await transport.connect(publisher.client.dtls_parameters, publisher.client.ice_parameters)
        await publisher.client.connect(
            transport.ice_parameters, transport.ice_candidates, transport.dtls_parameters, to=None
        )
        video = await transport.produce(kind="video", rtp_parameters=publisher.video_parameters)
        connection.producers["v"] = video
        if publisher.audio_parameters:
            connection.producers["a"] = await transport.produce(kind="audio", rtp_parameters=publisher.audio_parameters)
        room.announce(connection)
        publishers.append(publisher)
    for number, publisher in enumerate(publishers):
        publisher.start(1 + number / 90)
    await asyncio.sleep(2)  # by then the router knows what each layer costs
    return publishers


@contextlib.asynccontextmanager
async def serving(routes: list[Route]) -> AsyncIterator[str]:
    """An HTTP server on this side of the link; its URL."""

    async def page(request: Request) -> Response:
        return HTMLResponse("<!doctype html>")

    application = Starlette(routes=[Route("/", page), *routes])
    server = uvicorn.Server(uvicorn.Config(application, host=NEAR, port=0, log_level="warning"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    try:
        yield f"http://{NEAR}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


@contextlib.asynccontextmanager
async def browser_viewer(link: ShapedLink, worker: Worker, url: str) -> AsyncIterator[Figures]:
    """Chromium at the far end."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "chromium"
        script.write_text(f'#!/bin/sh\nexec {" ".join(link.enter)} {EXECUTABLE} "$@"\n')
        script.chmod(0o755)
        async with chromium(str(script)) as context:
            page = await watch(context, Served(worker, url), "room", videos=PUBLISHERS)
            yield lambda: page.evaluate("stats('inbound-rtp')")


@contextlib.asynccontextmanager
async def wrtc_viewer(link: ShapedLink, url: str, query: str = "") -> AsyncIterator[Figures]:
    """`wrtc` at the far end."""
    process = await asyncio.create_subprocess_exec(
        *link.enter,
        sys.executable,
        "-m",
        "tests.clients.wrtc_far_viewer",
        f"{url}/whep/room{query}",
        str(PUBLISHERS),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin and process.stdout

    async def ask() -> list[dict[str, Any]]:
        assert process.stdin and process.stdout
        process.stdin.write(b"\n")
        return json.loads(await process.stdout.readline())

    try:
        yield ask
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


def look(link: ShapedLink, room: Room | None) -> dict[str, Any]:
    """One sample: the link's queue and, of our own, what is known and decided."""
    queued = link.look()
    sample: dict[str, Any] = {
        "at": time.monotonic(),
        "rate": link.rate_bps,
        "sent": queued.sent_bytes,
        "backlog": queued.backlog_bytes,
        "dropped": queued.dropped,
    }
    for connection in room.connections.values() if room else ():
        videos = [c for c in connection.consumers.values() if c.kind == "video"]
        if videos and not connection.closed:
            stats = [consumer.stats() for consumer in videos]
            sample |= connection.transport.stats()["downlink"] or {}
            sample["current"] = [s["current_layers"] for s in stats]
            sample["resent"] = sum(s["resent"] for s in stats)
            sample["refused"] = sum(s["refused"] for s in stats)
            sample["wanted"] = [s["target_layers"] for s in stats]
    return sample


async def go_through_the_steps(link: ShapedLink, room: Room | None, ask: Figures) -> dict[str, Any]:
    """The viewer has just come; samples, and its own figures at each step."""
    await started(ask)
    samples, seen = [], [await ask()]
    begun = time.monotonic()
    for step, (rate_bps, seconds) in enumerate(STEPS):
        link.set_rate(rate_bps)
        stepped = time.monotonic()
        while time.monotonic() < stepped + seconds:
            samples.append(look(link, room) | {"at": time.monotonic() - begun, "step": step})
            await asyncio.sleep(SAMPLE_S)
        seen.append(await ask())
    return {"samples": samples, "seen": seen}


async def started(ask: Figures) -> None:
    """Wait until all play."""
    for _ in range(150):
        streams = await ask()
        playing = [s for s in streams if s.get("framesDecoded", 0) > 5 or s.get("totalSamplesReceived", 0) > 4800]
        if len(playing) == PUBLISHERS + 1:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"the viewer does not play: {streams}")


async def ours(viewer: str, link: ShapedLink) -> dict[str, Any]:
    """A router in between."""
    async with await Worker.create(listen=f"{NEAR}:0") as worker:
        rooms = Rooms(worker)
        async with serving(Doors(rooms, None, ()).routes()) as url:
            room = await rooms.enter("room")
            publishers = await publish(room)
            watching = browser_viewer(link, worker, url) if viewer == "chromium" else wrtc_viewer(link, url)
            async with watching as ask:
                found = await go_through_the_steps(link, room, ask)
            for publisher in publishers:
                publisher.close()
            rooms.close()
            return found


async def direct(link: ShapedLink) -> dict[str, Any]:
    """No router."""
    sender = DirectSender()
    async with (
        serving([Route("/whep/room", sender.answer, methods=["POST"])]) as url,
        wrtc_viewer(link, url) as ask,
    ):
        found = await go_through_the_steps(link, None, ask)
    sender.close()
    return found


async def main() -> None:
    """Run one call, print its figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("viewer", choices=["chromium", "wrtc", "direct"])
    parser.add_argument("--samples", type=Path)
    options = parser.parse_args()
    link = ShapedLink(rate_bps=STEPS[0][0])
    try:
        found = await (direct(link) if options.viewer == "direct" else ours(options.viewer, link))
    finally:
        link.close()
    if options.samples:
        options.samples.write_text(json.dumps(found))
    print(json.dumps(figures(found["samples"], found["seen"])))


if __name__ == "__main__":
    asyncio.run(main())
