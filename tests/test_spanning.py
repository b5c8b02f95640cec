"""A room over two workers, used as one router."""

import asyncio

import pytest

from mediarouter import InvalidStateError, RtpCapabilities, UnsupportedError, WantedLayer, WorkerPool, rtp
from tests.e2e.test_light_clients import CAPABILITIES, OPUS, opus
from tests.net.test_worker import simulcast
from tests.transports.test_pipe import join
from tests.web.door import soon


def run(scenario):
    """With a router that spans two workers of a pool."""

    async def main():
        async with await WorkerPool.create(workers=2) as pool:
            await asyncio.wait_for(scenario(pool, await pool.create_spanning_router(members=2)), 60)
        assert not any(worker._receivers for worker in pool.workers)

    asyncio.run(main())


async def publish(spanning, member: int):
    transport = await spanning.routers[member].create_webrtc_transport()
    return await transport.produce(kind="audio", rtp_parameters=OPUS)


def test_it_looks_like_one_router():
    async def scenario(pool, spanning):
        announced = []
        spanning.on("new_producer", announced.append)
        one, other = await publish(spanning, 0), await publish(spanning, 1)
        assert announced == [one, other]
        assert spanning.producers == {one.id: one, other.id: other}
        assert len(spanning.transports) == 2
        assert spanning.rtp_capabilities == spanning.routers[1].rtp_capabilities
        for producer in (one, other):
            assert spanning.can_consume(producer.id, CAPABILITIES)
            assert not spanning.can_consume(producer.id, RtpCapabilities())
        assert not spanning.can_consume("nobody", CAPABILITIES)
        assert {router._environment for router in spanning.routers} == set(pool.workers)

    run(scenario)


def test_what_is_consumed_away_from_home_is_piped_once_and_while_it_is_watched():
    async def scenario(pool, spanning):
        announced = []
        spanning.on("new_producer", announced.append)
        producer = await publish(spanning, 0)
        home, away = spanning.routers
        local = await home.create_webrtc_transport()
        await local.consume(producer.id, rtp_capabilities=CAPABILITIES)
        assert not home.pipe_transports
        viewers = [await away.create_webrtc_transport() for _ in range(2)]
        consumers = [await v.consume(producer.id, rtp_capabilities=CAPABILITIES) for v in viewers]
        copy = away.producers[producer.id]
        assert {c._producer for c in consumers} == {copy} and announced == [producer]
        consumers[0].close()
        assert not copy.closed
        viewers[1].close()
        assert copy.closed and producer.id not in away.producers and not producer.closed
        again = await viewers[0].consume(producer.id, rtp_capabilities=CAPABILITIES)
        assert again._producer is away.producers[producer.id] is not copy
        closed = []
        again.on("producer_close", lambda: closed.append("gone"))
        producer.close()
        assert closed == ["gone"] and not spanning.producers and not away.producers

    run(scenario)


def test_what_cannot_be_consumed_is_refused_and_leaves_no_pipe_in_use():
    async def scenario(pool, spanning):
        producer = await publish(spanning, 0)
        viewer = await spanning.routers[1].create_webrtc_transport()
        with pytest.raises(InvalidStateError, match="no producer"):
            await viewer.consume("nobody", rtp_capabilities=CAPABILITIES)
        with pytest.raises(UnsupportedError, match="opus"):
            await viewer.consume(producer.id, rtp_capabilities=RtpCapabilities())
        assert producer.id not in spanning.routers[1].producers

    run(scenario)


@pytest.mark.parametrize("what", ["it", "member", "worker"])
def test_closing(what):
    async def scenario(pool, spanning):
        home, away = spanning.routers
        producer = await publish(spanning, 0)
        viewer = await away.create_webrtc_transport()
        await viewer.consume(producer.id, rtp_capabilities=CAPABILITIES)
        closed = []
        spanning.on("close", lambda: closed.append("spanning"))
        {"it": spanning.close, "member": home.close, "worker": home._environment.close}[what]()
        spanning.close() if what == "it" else None
        assert producer.closed and home.closed and not away.producers and not spanning.producers
        if what == "it":
            assert away.closed and viewer.closed and closed == ["spanning"]
            with pytest.raises(InvalidStateError, match="router closed"):
                await spanning.create_webrtc_transport()
        else:
            assert spanning.routers == (away,) and not viewer.closed and not closed
            assert (await spanning.create_webrtc_transport())._environment is away._environment
            away.close()
            assert spanning.closed and closed == ["spanning"]

    run(scenario)


def test_media_goes_from_one_worker_to_the_other_and_back():
    async def scenario(pool, spanning):
        people = [await join(router) for router in spanning.routers]
        producers = [await transport.produce(kind="audio", rtp_parameters=OPUS) for transport, _ in people]
        for (transport, _), producer in zip(people, reversed(producers), strict=True):
            await transport.consume(producer.id, rtp_capabilities=CAPABILITIES)
        for seq in range(20):
            for index, (_, client) in enumerate(people):
                client.send_rtp(opus(100 * index + seq))
            for index, (_, client) in enumerate(people):
                assert rtp.parse(await soon(client.packets.get())).payload == b"opus%d" % (100 * (1 - index) + seq)
        assert [w.counters()["rtp_packets_piped"] for w in pool.workers] == [20, 20]
        for _, client in people:
            client.close()

    run(scenario)


def test_what_is_wanted_away_from_home_is_told_to_the_publisher():
    async def scenario(pool, spanning):
        home, away = spanning.routers
        transport = await home.create_webrtc_transport()
        producer = await transport.produce(kind="video", rtp_parameters=simulcast())
        heard: asyncio.Queue[tuple[WantedLayer, ...]] = asyncio.Queue()
        producer.on("wanted_layers", heard.put_nowait)
        viewer = await away.create_webrtc_transport()
        consumer = await viewer.consume(producer.id, rtp_capabilities=CAPABILITIES, preferred_layers=(0, None))
        assert [layer.active for layer in await soon(heard.get())] == [True, False, False]
        await consumer.set_preferred_layers(1)
        assert [layer.active for layer in await soon(heard.get())] == [True, True, False]
        consumer.close()
        assert producer.id not in away.producers
        assert [layer.active for layer in await soon(heard.get())] == [False] * 3

    run(scenario)
