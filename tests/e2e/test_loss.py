"""A browser publishes and a browser watches, and a relay of ours loses five of a hundred packets on either side."""

import asyncio

import pytest

from tests.clients.chromium import chromium
from tests.clients.lossy_proxy import LossyProxy
from tests.e2e.harness import inbound, publish, serving, until, watch

pytestmark = pytest.mark.e2e
LOSS = 0.05
SECONDS = 20


def test_the_picture_keeps_moving_while_five_percent_are_lost_on_both_sides():
    async def scenario() -> None:
        async with serving() as served, chromium() as context:
            up = await LossyProxy.start(("127.0.0.1", served.worker.port), LOSS, LOSS)
            down = await LossyProxy.start(("127.0.0.1", served.worker.port), LOSS, LOSS)
            await publish(context, served, "room", edit=f"via {up.address[1]}")
            # the middle layer: that the publisher's own estimator gives the top up under loss is its affair
            viewer = await watch(context, served, "room", f"via {down.address[1]}", "?layer=1")

            async def moves() -> bool:
                return (await inbound(viewer)).get("video", {}).get("framesDecoded", 0) > 60

            await until(moves, seconds=20, what="60 frames through the relay")
            (producer,) = (
                p for r in served.worker.routers.values() for p in r.producers.values() if p.kind == "video"
            )
            (consumer,) = (
                c
                for r in served.worker.routers.values()
                for t in r.transports.values()
                for c in t.consumers.values()
                if c.kind == "video"
            )
            before, asked = (await inbound(viewer))["video"], consumer.stats()
            await asyncio.sleep(SECONDS)
            after, figures = (await inbound(viewer))["video"], consumer.stats()
            frames = after["framesDecoded"] - before["framesDecoded"]
            seconds = (after["timestamp"] - before["timestamp"]) / 1000
            assert frames / seconds >= 20, (frames, seconds)
            assert after["totalFreezesDuration"] - before["totalFreezesDuration"] <= 1.0
            # towards the viewer: what it asked for was sent again
            since = {name: figures[name] - asked[name] for name in ("nacked", "awaited", "refused", "missed", "resent")}
            assert since["nacked"] >= 20 and since["missed"] <= 0.05 * since["nacked"], since
            assert since["resent"] >= 0.95 * (since["nacked"] - since["awaited"] - since["refused"]), since
            assert after["retransmittedPacketsReceived"] > before.get("retransmittedPacketsReceived", 0)
            # from the publisher: what the router missed came by its NACKs
            for layer in producer.stats():
                if layer["packets"] > 200:
                    lost = layer["expected"] - (layer["packets"] - layer["recovered"])
                    assert lost >= 0.02 * layer["expected"], layer
                    assert layer["expected"] - layer["packets"] <= 0.05 * lost, layer
            assert up.lost > 50 and down.lost > 20
            up.close()
            down.close()

    asyncio.run(scenario())
