"""Producers brought to another router: what a service sees, and media between two workers on loopback."""

import asyncio
import struct

import pytest
import uvloop

from mediarouter import InvalidStateError, PipeTransport, Router, UnsupportedError, WebRtcTransport, Worker, _rtcp, rtp
from mediarouter.parameters import DEFAULT_CODECS
from tests.e2e.test_light_clients import CAPABILITIES, OPUS, VP8
from tests.virtual import vp8_payload
from tests.web.door import Peer, soon


def run(scenario, runner=asyncio.run):
    """With a router on each of two workers."""

    async def main():
        async with await Worker.create() as near, await Worker.create() as far:
            await asyncio.wait_for(scenario(await near.create_router(), await far.create_router()), 60)
        assert not near._receivers and not far._receivers
        assert not near.pipes and not far.pipes

    runner(main())


async def produce(router: Router, kind: str = "audio", **options):
    transport = await router.create_webrtc_transport()
    parameters = OPUS if kind == "audio" else VP8
    return transport, await transport.produce(kind=kind, rtp_parameters=parameters, **options)


def test_a_copy_has_the_id_and_the_parameters_of_its_original():
    async def scenario(near, far):
        announced = []
        far.on("new_producer", announced.append)
        transport, producer = await produce(near)
        copy = await near.pipe_to_router(producer.id, router=far)
        assert announced == [copy] and copy is not producer
        assert (copy.id, copy.kind, copy.rtp_parameters) == (producer.id, "audio", producer.rtp_parameters)
        assert far.can_consume(copy.id, CAPABILITIES)
        assert await near.pipe_to_router(producer.id, router=far) is copy
        assert await far.pipe_to_router(copy.id, router=near) is producer
        viewer = await far.create_webrtc_transport()
        consumer = await viewer.consume(copy.id, rtp_capabilities=CAPABILITIES)
        assert consumer.rtp_parameters.rtcp.cname == transport.cname

    run(scenario)


def test_one_pipe_between_two_routers_serves_all_and_both_ways():
    async def scenario(near, far):
        transport, audio = await produce(near)
        video = await transport.produce(kind="video", rtp_parameters=VP8)
        _, other = await produce(near)
        _, back = await produce(far)
        copies = [await near.pipe_to_router(p.id, router=far) for p in (audio, video, other)]
        await far.pipe_to_router(back.id, router=near)
        (here,), (there,) = near.pipe_transports.values(), far.pipe_transports.values()
        assert isinstance(here, PipeTransport) and here.peer is there and there.peer is here
        assert here.router is near and set(there.producers) == {c.id for c in copies}
        assert here.producers == {back.id: near.producers[back.id]}
        assert here.stats()["packets_sent"] == 0
        # two streams of one client share its CNAME, and so its clock; those of two do not
        mirrors = [far._owners[copy.id] for copy in copies]
        assert mirrors[0] is mirrors[1] is not mirrors[2]
        copies[0].close()
        copies[1].close()
        copies[2].close()
        assert not there.producers and not there._mirrors and not here.closed
        fresh = await near.pipe_to_router(audio.id, router=far)
        assert not fresh.closed and not audio.closed

    run(scenario)


def test_all_routers_of_two_workers_share_one_ring_each_way():
    async def scenario(near, far):
        others = [await near._environment.create_router(), await far._environment.create_router()]
        for source, target in ((near, far), (others[0], far), (others[1], near), (near, others[0])):
            _, producer = await produce(source)
            copy = await source.pipe_to_router(producer.id, router=target)
            assert target.producers[producer.id] is copy
        assert set(near._environment.pipes) == {near._environment, far._environment}
        assert set(far._environment.pipes) == {near._environment}
        assert near.pipe_transports[far.id]._end == near.pipe_transports[others[1].id]._end
        near.close()
        assert not others[0].pipe_transports.keys() & {near.id} and set(others[0].pipe_transports) == {far.id}
        near._environment.close()
        assert not near._environment.pipes and not far._environment.pipes

    run(scenario)


def test_a_copy_pauses_resumes_and_closes_with_its_original():
    async def scenario(near, far):
        _, producer = await produce(near, paused=True)
        copy = await near.pipe_to_router(producer.id, router=far)
        viewer = await far.create_webrtc_transport()
        consumer = await viewer.consume(copy.id, rtp_capabilities=CAPABILITIES)
        heard = []
        for event in ("producer_pause", "producer_resume", "producer_close", "close"):
            consumer.on(event, lambda event=event: heard.append(event))
        assert copy.paused
        await producer.resume()
        assert not copy.paused
        await producer.pause()
        producer.close()
        assert heard == ["producer_resume", "producer_pause", "producer_close", "close"]
        assert copy.closed and not far.producers
        # closing the copy ends the leash, not the original
        _, second = await produce(near)
        copy = await near.pipe_to_router(second.id, router=far)
        copy.close()
        await second.pause()
        assert copy.closed and not copy.paused and not second.closed

    run(scenario)


@pytest.mark.parametrize("what", ["near router", "far router", "near end", "far end", "transport", "near worker"])
def test_whatever_closes_takes_the_copies_with_it(what):
    async def scenario(near, far):
        transport, producer = await produce(near)
        copy = await near.pipe_to_router(producer.id, router=far)
        (pipe,) = near.pipe_transports.values()
        closed = []
        pipe.on("close", lambda: closed.append("near"))
        pipe.peer.on("close", lambda: closed.append("far"))
        {
            "near router": near.close,
            "far router": far.close,
            "near end": pipe.close,
            "far end": pipe.peer.close,
            "transport": transport.close,
            "near worker": near._environment.close,
        }[what]()
        assert copy.closed and not far.producers
        if what == "transport":
            assert not closed and not pipe.closed
        else:
            assert sorted(closed) == ["far", "near"] and pipe.closed and pipe.peer.closed
            assert not near.pipe_transports and not far.pipe_transports
            with pytest.raises(InvalidStateError):
                pipe.stats()
        pipe.close()
        if what in ("near end", "far end"):
            assert not producer.closed
            assert (await near.pipe_to_router(producer.id, router=far)).id == producer.id

    run(scenario)


def test_what_cannot_be_piped_is_refused_with_the_reason():
    async def scenario(near, far):
        _, producer = await produce(near, "video")
        with pytest.raises(ValueError, match="itself"):
            await near.pipe_to_router(producer.id, router=near)
        with pytest.raises(InvalidStateError, match="no producer"):
            await near.pipe_to_router("nobody", router=far)
        deaf = await far._environment.create_router([c for c in DEFAULT_CODECS if c.kind == "audio"])
        with pytest.raises(UnsupportedError, match="VP8"):
            await near.pipe_to_router(producer.id, router=deaf)
        assert not near.pipe_transports and not deaf.pipe_transports
        deaf.close()
        with pytest.raises(InvalidStateError, match="router closed"):
            await near.pipe_to_router(producer.id, router=deaf)

    run(scenario)


async def join(router: Router) -> tuple[WebRtcTransport, Peer]:
    """A transport and its connected client."""
    transport, client = await router.create_webrtc_transport(), Peer()
    connected = asyncio.Event()
    transport.on("dtls_state_change", lambda state: connected.set() if state == "connected" else None)
    await transport.connect(client.dtls_parameters, client.ice_parameters)
    await client.connect(transport.ice_parameters, transport.ice_candidates, transport.dtls_parameters)
    await soon(connected.wait())
    return transport, client


def video(seq: int, *, key: bool = False) -> bytes:
    payload = vp8_payload(seq, key=key, body=b"frame %d" % seq)
    return rtp.build(payload_type=96, sequence_number=seq, timestamp=seq * 3000, ssrc=6, marker=True, payload=payload)


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_viewer_on_another_worker_sees_the_publisher_and_is_repaired_there(runner):
    async def scenario(near, far):
        sending, publisher = await join(near)
        receiving, viewer = await join(far)
        requests: asyncio.Queue[int] = asyncio.Queue()

        def on_rtcp(data: bytes, at_ns: int) -> None:
            for kind, fmt, _ in _rtcp.walk(data)[0]:
                if kind in (205, 206):
                    requests.put_nowait(kind * 100 + fmt)

        publisher.on_rtcp = on_rtcp
        producer = await sending.produce(kind="video", rtp_parameters=VP8)
        await near.pipe_to_router(producer.id, router=far)
        consumer = await receiving.consume(producer.id, rtp_capabilities=CAPABILITIES)
        publisher.send_rtp(video(1))
        assert await soon(requests.get()) == 20601, "the far viewer needs a key frame"
        got = []
        for seq in range(2, 12):
            publisher.send_rtp(video(seq, key=seq == 2))
            got.append(rtp.parse(await soon(viewer.packets.get())))
        assert [h.payload.partition(b"frame ")[2] for h in got] == [b"%d" % seq for seq in range(2, 12)]
        encoding = consumer.rtp_parameters.encodings[0]
        assert {h.ssrc for h in got} == {encoding.ssrc}
        lost = [h.sequence_number for h in got[4:7]]
        viewer.send_rtcp(_rtcp.write("nack", sender_ssrc=1, media_ssrc=encoding.ssrc, seqs=lost))
        again = [rtp.parse(await soon(viewer.packets.get())) for _ in lost]
        assert {h.ssrc for h in again} == {encoding.rtx.ssrc}
        assert [struct.unpack("!H", h.payload[:2])[0] for h in again] == lost
        assert [h.payload[2:] for h in again] == [h.payload for h in got[4:7]]
        assert requests.empty() and consumer.stats()["resent"] == 3
        assert near._environment.counters()["rtp_packets_forwarded"] == 0
        viewer.send_rtcp(_rtcp.write("pli", sender_ssrc=1, media_ssrc=encoding.ssrc))
        assert await soon(requests.get()) == 20601
        publisher.close()
        viewer.close()

    run(scenario, runner)
