"""libwebrtc, aiortc and FFmpeg on either side."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.clients.aiortc_client import AiortcPublisher, AiortcViewer
from tests.clients.chromium import chromium
from tests.clients.wrtc_client import WrtcPublisher, WrtcViewer
from tests.e2e.harness import inbound, publish, serving, until, watch

pytestmark = pytest.mark.e2e
STEADY_S = 15


def test_libwebrtc_to_libwebrtc_and_aiortc_with_switches():
    async def scenario() -> None:
        async with serving() as served:
            publisher, viewer, other = WrtcPublisher(), WrtcViewer(), AiortcViewer()
            await publisher.start(f"{served.url}/whip/room")
            await viewer.start(f"{served.url}/whep/room")
            await other.start(f"{served.url}/whep/room?layer=0")

            async def plays() -> bool:
                found = await viewer.inbound()
                return "video" in found and (found["video"].frames_decoded or 0) > 90 and other.frames["video"] > 60

            await until(plays, seconds=30, what="both decode")
            assert other.frames["audio"] > 50
            connection = next(c for r in served.worker.routers.values() for c in r.transports.values() if c.consumers)
            consumer = next(c for c in connection.consumers.values() if c.kind == "video")

            async def three_layers() -> bool:
                producers = [p for r in served.worker.routers.values() for p in r.producers.values()]
                return all(e["alive"] for p in producers if p.kind == "video" for e in p.stats())

            await until(three_layers, seconds=30, what="three layers flow")
            before = (await viewer.inbound())["video"]
            for spatial, width in ((0, 320), (1, 640), (0, 320), (1, 640)):
                await consumer.set_preferred_layers(spatial)

                async def switched(width=width) -> bool:
                    return (await viewer.inbound())["video"].frame_width == width

                await until(switched, seconds=5, what=f"width {width}")
            after = (await viewer.inbound())["video"]
            assert (after.total_freezes_duration or 0) - (before.total_freezes_duration or 0) < 0.5
            begun, seen, heard = after, other.frames["video"], (await viewer.inbound())["audio"]
            await asyncio.sleep(STEADY_S)
            found = await viewer.inbound()
            video, audio = found["video"], found["audio"]
            assert (video.frames_decoded - begun.frames_decoded) / STEADY_S >= 20
            assert (video.total_freezes_duration or 0) - (begun.total_freezes_duration or 0) < 0.5
            samples = audio.total_samples_received - heard.total_samples_received
            assert samples > 0.95 * 48000 * STEADY_S
            assert audio.concealed_samples - heard.concealed_samples < 0.02 * samples
            assert (other.frames["video"] - seen) / STEADY_S >= 20, "aiortc sees it all, too"
            publisher.close()
            viewer.close()
            await other.close()

    asyncio.run(scenario())


def test_aiortc_publishes_and_all_others_watch():
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            publisher, viewer, other = AiortcPublisher(), WrtcViewer(), AiortcViewer()
            await publisher.start(f"{served.url}/whip/room")
            await viewer.start(f"{served.url}/whep/room")
            await other.start(f"{served.url}/whep/room")
            page = await watch(context, served, "room")

            async def plays() -> bool:
                found = await viewer.inbound()
                seen = (await inbound(page)).get("video", {}).get("framesDecoded", 0)
                return (
                    "video" in found
                    and (found["video"].frames_decoded or 0) > 60
                    and other.frames["video"] > 60
                    and seen > 60
                )

            await until(plays, seconds=30, what="three decode")
            publisher_closed = served.worker.routers
            await publisher.close()
            viewer.close()
            await other.close()
            assert publisher_closed

    asyncio.run(scenario())


def test_chromium_publishes_and_aiortc_watches():
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            viewer = AiortcViewer()
            await publish(context, served, "room")
            await viewer.start(f"{served.url}/whep/room?layer=0")

            async def plays() -> bool:
                return viewer.frames["video"] > 60 and viewer.frames["audio"] > 60

            await until(plays, seconds=30, what="aiortc decodes")
            await viewer.close()

    asyncio.run(scenario())


def test_ffmpeg_publishes_h264_and_a_browser_plays_it():
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            script = Path(__file__).parent.parent / "clients" / "whip_ffmpeg.py"
            sender = await asyncio.create_subprocess_exec(
                sys.executable,
                str(script),
                f"{served.url.replace('localhost', '127.0.0.1')}/whip/room",
                "20",
                stderr=asyncio.subprocess.PIPE,
            )
            try:

                async def publishes() -> bool:
                    producers = [p for r in served.worker.routers.values() for p in r.producers.values()]
                    return len(producers) == 2 and all(p.stats()[0]["packets"] > 0 for p in producers)

                await until(publishes, seconds=30, what="FFmpeg sends both streams", served=served)
                viewer = await watch(context, served, "room")

                async def decoded() -> bool:
                    found = await inbound(viewer)
                    return (
                        found.get("video", {}).get("framesDecoded", 0) > 90
                        and found.get("audio", {}).get("totalSamplesReceived", 0) > 48000
                    )

                await until(decoded, seconds=30, what="the browser plays H264 and Opus", served=served)
            finally:
                if sender.returncode is None:
                    sender.terminate()
                await sender.wait()

    asyncio.run(scenario())
