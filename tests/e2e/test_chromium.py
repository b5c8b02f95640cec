"""Chromium publishes 720p VP8 in three layers and Opus; other pages watch."""

import asyncio
import re

import pytest

from tests.clients.chromium import chromium
from tests.e2e.harness import Served, inbound, publish, serving, until, watch

pytestmark = pytest.mark.e2e


async def all_layers(served: Served) -> bool:
    """The publisher sends all three."""
    for router in served.worker.routers.values():
        for producer in router.producers.values():
            if producer.kind == "video":
                return all(figures["alive"] for figures in producer.stats())
    return False


def test_one_publishes_and_three_watch_for_half_a_minute():
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            await publish(context, served, "room")
            viewers = [await watch(context, served, "room") for _ in range(3)]

            async def ready() -> bool:
                found = [await inbound(v) for v in viewers]
                return all(f.get("video", {}).get("frameWidth") == 1280 for f in found)

            await until(ready, seconds=15, what="every viewer sees 720p")
            before = [await inbound(v) for v in viewers]
            await asyncio.sleep(30)
            after = [await inbound(v) for v in viewers]
            for a, b in zip(before, after, strict=True):
                video, audio = b["video"], b["audio"]
                frames = video["framesDecoded"] - a["video"]["framesDecoded"]
                seconds = (video["timestamp"] - a["video"]["timestamp"]) / 1000
                assert frames / seconds >= 20
                assert video["totalFreezesDuration"] - a["video"]["totalFreezesDuration"] <= 0.5
                samples = audio["totalSamplesReceived"] - a["audio"]["totalSamplesReceived"]
                assert samples > 0.95 * 48000 * seconds
                assert audio["concealedSamples"] - a["audio"]["concealedSamples"] < 0.02 * samples
                assert video["packetsLost"] == 0
            assert served.worker.counters()["dropped_send_blocked"] == 0

    asyncio.run(scenario())


def test_switching_layers_each_three_seconds_for_a_minute():
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            await publish(context, served, "room")
            viewers = [await watch(context, served, "room") for _ in range(3)]
            resources = [await v.evaluate("resource") for v in viewers]
            await until(lambda: all_layers(served), seconds=15, what="three layers flow")
            await asyncio.sleep(2)
            widths, late, gaps = (320, 640, 1280), [], []
            start = [(await inbound(v))["video"] for v in viewers]
            for step in range(20):
                spatial = (0, 2, 1, 2, 0, 1)[step % 6]
                for resource in resources:
                    assert (await served.request("PUT", resource, {"spatial": spatial, "temporal": 2}))[0] == 204
                begun = asyncio.get_running_loop().time()
                for viewer in viewers:

                    async def switched(viewer=viewer, spatial=spatial) -> bool:
                        return (await inbound(viewer))["video"]["frameWidth"] == widths[spatial]

                    await until(switched, seconds=3, what=f"layer {spatial}")
                late.append(asyncio.get_running_loop().time() - begun)
                await asyncio.sleep(max(0.0, 3 - late[-1]))
                for viewer in viewers:
                    stats = await inbound(viewer)
                    audio, video = stats["audio"], stats["video"]
                    gaps.append(video["estimatedPlayoutTimestamp"] - audio["estimatedPlayoutTimestamp"])
            end = [(await inbound(v))["video"] for v in viewers]
            assert sorted(late)[-2] < 1.0, late
            for a, b in zip(start, end, strict=True):
                assert b["totalFreezesDuration"] - a["totalFreezesDuration"] <= 0.5
                assert b["framesDropped"] - a["framesDropped"] <= 12
                assert b["framesDecoded"] - a["framesDecoded"] > 60 * 20
            # NTP times of what is played now, in milliseconds; samples of a moment, so their middle counts
            assert abs(sorted(gaps)[len(gaps) // 2]) < 80, sorted(gaps)

    asyncio.run(scenario())


@pytest.mark.parametrize("codec", ["video/h264", "video/vp9", "video/av1"])
def test_other_codecs_go_through_whole(codec):
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            await publish(context, served, "room", codec, simulcast=False)
            viewer = await watch(context, served, "room")

            async def decoded() -> bool:
                return (await inbound(viewer)).get("video", {}).get("framesDecoded", 0) > 60

            await until(decoded, seconds=20, what=f"60 frames of {codec}")
            assert (await inbound(viewer))["video"]["framesDropped"] <= 2

    asyncio.run(scenario())


def test_a_viewer_by_tcp_only_plays():
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            await publish(context, served, "room")
            viewer = await watch(context, served, "room", "tcp only")

            async def decoded() -> bool:
                return (await inbound(viewer)).get("video", {}).get("framesDecoded", 0) > 90

            await until(decoded, seconds=20, what="90 frames by TCP")
            assert served.worker.counters()["tcp_connections"] >= 1
            pairs = [p for p in await viewer.evaluate("stats('candidate-pair')") if p.get("nominated")]
            remote = {c["id"]: c for c in await viewer.evaluate("stats('remote-candidate')")}
            assert remote[pairs[0]["remoteCandidateId"]]["protocol"] == "tcp"

    asyncio.run(scenario())


def test_a_viewer_who_comes_first_sees_whoever_publishes_later():
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            viewer = await watch(context, served, "room")
            await asyncio.sleep(1)
            await publish(context, served, "room")

            async def decoded() -> bool:
                found = await inbound(viewer)
                return (
                    found.get("video", {}).get("framesDecoded", 0) > 30
                    and found.get("audio", {}).get("totalSamplesReceived", 0) > 0
                )

            await until(decoded, seconds=15, what="media after waiting")

    asyncio.run(scenario())


def test_a_chosen_layer_is_kept():
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            await publish(context, served, "room")
            viewer = await watch(context, served, "room", query="?layer=0")
            await until(lambda: all_layers(served), seconds=15, what="three layers flow")
            await asyncio.sleep(3)
            assert (await inbound(viewer))["video"]["frameWidth"] == 320

    asyncio.run(scenario())


def test_two_people_meet_on_the_page():
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            pages = []
            for name in ("Ann", "Bob"):
                page = await context.new_page()
                await page.goto(f"{served.url}/r/lobby")
                await page.fill("#name", name)
                await page.press("#name", "Enter")
                pages.append(page)

            async def meet() -> bool:
                for page in pages:
                    script = """async () => { let frames = 0, samples = 0;
                        (await meeting.receiving?.getStats() ?? new Map()).forEach(s => {
                            if (s.type != 'inbound-rtp') return;
                            frames += s.framesDecoded ?? 0;
                            samples += s.totalSamplesReceived ?? 0;
                        }); return [frames, samples]; }"""
                    frames, samples = await page.evaluate(script)
                    if frames < 30 or samples < 48000:
                        return False
                return True

            await until(meet, seconds=20, what="both see and hear each other")
            assert re.search("Bob", await pages[0].inner_text("#grid"))
            await pages[1].press("#toggle-audio", "Enter")
            muted = pages[0].locator(".tile:not(.own) .muted")
            await muted.wait_for(state="visible", timeout=5000)
            await pages[1].click("#leave")

            async def alone() -> bool:
                return await pages[0].locator(".tile").count() == 1

            await until(alone, seconds=5, what="who left is gone from the grid")

    asyncio.run(scenario())
