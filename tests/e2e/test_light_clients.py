"""Light clients over real sockets: every role, transport and loop; wrong peers; restart; loss."""

import asyncio
import struct
import time

import pytest
import uvloop

from mediarouter import DtlsFingerprint, DtlsParameters, InvalidStateError, RtpCapabilities, Worker, _rtcp, rtp
from mediarouter.parameters import (
    MID,
    RtcpFeedback,
    RtpCodecCapability,
    RtpCodecParameters,
    RtpEncodingParameters,
    RtpHeaderExtension,
    RtpHeaderExtensionParameters,
    RtpParameters,
    RtxParameters,
)
from tests.clients.lossy_proxy import LossyProxy
from tests.clients.rtp_client import RtpClient
from tests.virtual import binding_request, vp8_payload

pytestmark = pytest.mark.e2e
NACK = (RtcpFeedback("nack"), RtcpFeedback("nack", "pli"))
OPUS = RtpParameters((RtpCodecParameters("audio/opus", 111, 48000, 2),), "a", encodings=(RtpEncodingParameters(5),))
VP8 = RtpParameters(
    (
        RtpCodecParameters("video/VP8", 96, 90000, rtcp_feedback=NACK),
        RtpCodecParameters("video/rtx", 97, 90000, parameters={"apt": 96}),
    ),
    "v",
    (RtpHeaderExtensionParameters(MID, 1),),
    (RtpEncodingParameters(6, rtx=RtxParameters(7)),),
)
CAPABILITIES = RtpCapabilities(
    (
        RtpCodecCapability("audio", "audio/opus", 48000, 2, preferred_payload_type=109),
        RtpCodecCapability("video", "video/VP8", 90000, rtcp_feedback=NACK, preferred_payload_type=120),
        RtpCodecCapability("video", "video/rtx", 90000, parameters={"apt": 120}, preferred_payload_type=121),
    ),
    (RtpHeaderExtension("video", MID, 9), RtpHeaderExtension("audio", MID, 9)),
)


async def join(router, *, to=None, **options):
    """A transport and its connected client."""
    transport = await router.create_webrtc_transport()
    client = RtpClient(**options)
    await transport.connect(client.dtls_parameters, client.ice_parameters)
    connected = asyncio.Event()
    transport.on("dtls_state_change", lambda state: connected.set() if state == "connected" else None)
    await client.connect(transport.ice_parameters, transport.ice_candidates, transport.dtls_parameters, to=to)
    # who answers the handshake's last flight has its keys a moment before the other side
    await asyncio.wait_for(connected.wait(), 10)
    return transport, client


def opus(seq: int) -> bytes:
    return rtp.build(payload_type=111, sequence_number=seq, timestamp=960 * seq, ssrc=5, payload=b"opus%d" % seq)


async def gets(received: list[bytes], count: int) -> None:
    """Wait for that many packets."""
    for _ in range(100):
        if len(received) >= count:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{len(received)} of {count} packets came")


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0"])
def test_every_way_to_connect_carries_media(runner, role, protocol, listen):
    async def scenario():
        async with await Worker.create(listen=listen) as worker:
            router = await worker.create_router()
            sending, publisher = await join(router, role=role, protocol=protocol)
            producer = await sending.produce(kind="audio", rtp_parameters=OPUS)
            receiving, viewer = await join(router, role=role, protocol=protocol)
            received: list[bytes] = []
            viewer.on_rtp = lambda data, at_ns: received.append(data)
            consumer = await receiving.consume(producer.id, rtp_capabilities=CAPABILITIES)
            for seq in range(20):
                publisher.send_rtp(opus(seq))
                await asyncio.sleep(0.005)
            await gets(received, 20)
            headers = [rtp.parse(data) for data in received]
            assert [h.payload for h in headers] == [b"opus%d" % seq for seq in range(20)]
            assert {h.ssrc for h in headers} == {consumer.rtp_parameters.encodings[0].ssrc}
            assert (sending.ice_state, sending.dtls_state) == ("connected", "connected")
            assert sending.remote_address[2] == protocol
            closed = []
            sending.on("dtls_state_change", closed.append)
            publisher.close()
            viewer.close()

    runner(scenario())


def test_a_wrong_fingerprint_is_refused_and_nobody_else_notices():
    async def scenario():
        async with await Worker.create() as worker:
            router = await worker.create_router()
            _, good = await join(router)
            transport = await router.create_webrtc_transport()
            liar = RtpClient()
            wrong = DtlsParameters((DtlsFingerprint("sha-256", ":".join(["00"] * 32)),), "client")
            await transport.connect(wrong)
            states = []
            transport.on("dtls_state_change", states.append)
            with pytest.raises(TimeoutError):
                await liar.connect(
                    transport.ice_parameters, transport.ice_candidates, transport.dtls_parameters, timeout_s=1
                )
                liar.send_rtp(opus(1))
                await asyncio.sleep(0.2)
                raise TimeoutError
            assert transport.dtls_state == "failed"
            assert worker.counters()["rtp_packets_forwarded"] == 0
            await join(router)
            good.close()
            liar.close()

    asyncio.run(scenario())


def test_ice_restart_goes_on_under_new_credentials():
    async def scenario():
        async with await Worker.create() as worker:
            router = await worker.create_router()
            transport, client = await join(router)
            producer = await transport.produce(kind="audio", rtp_parameters=OPUS)
            receiving, viewer = await join(router)
            received: list[bytes] = []
            viewer.on_rtp = lambda data, at_ns: received.append(data)
            await receiving.consume(producer.id, rtp_capabilities=CAPABILITIES)
            old = transport.ice_parameters
            fresh = await transport.restart_ice()
            assert fresh.username_fragment != old.username_fragment
            client.send_rtp(opus(1))
            await gets(received, 1)
            client._tasks[0].cancel()
            client._send(binding_request(f"{fresh.username_fragment}:{client.ufrag}".encode(), fresh.password.encode()))
            client.send_rtp(opus(2))
            await gets(received, 2)
            client._send(binding_request(f"{old.username_fragment}:{client.ufrag}".encode(), old.password.encode()))
            await asyncio.sleep(0.2)
            assert worker.counters()["dropped_stun_unknown_ufrag"] >= 1
            client.close()
            viewer.close()

    asyncio.run(scenario())


def test_closing_cascades_and_is_idempotent():
    async def scenario():
        worker = await Worker.create()
        router = await worker.create_router()
        transport, client = await join(router)
        producer = await transport.produce(kind="audio", rtp_parameters=OPUS)
        receiving, viewer = await join(router)
        consumer = await receiving.consume(producer.id, rtp_capabilities=CAPABILITIES)
        heard = []
        for thing, name in (
            (consumer, "consumer"),
            (producer, "producer"),
            (transport, "transport"),
            (router, "router"),
        ):
            thing.on("close", lambda name=name: heard.append(name))
        consumer.on("producer_close", lambda: heard.append("producer_close"))
        consumer.on("close", lambda: 1 / 0)
        router.close()
        router.close()
        assert heard == ["producer_close", "consumer", "producer", "transport", "router"]
        with pytest.raises(InvalidStateError, match="router closed"):
            await router.create_webrtc_transport()
        with pytest.raises(InvalidStateError, match="transport closed"):
            await transport.produce(kind="audio", rtp_parameters=OPUS)
        with pytest.raises(InvalidStateError, match="consumer closed"):
            await consumer.pause()
        worker.close()
        worker.close()
        with pytest.raises(InvalidStateError, match="worker closed"):
            await worker.create_router()
        client.close()
        viewer.close()

    asyncio.run(scenario())


def test_five_percent_lost_on_both_sides_are_repaired():
    """Of what is lost between publisher, router and viewer, at least 95 % come by NACK and RTX."""

    async def scenario():
        async with await Worker.create() as worker:
            router = await worker.create_router()
            proxy = await LossyProxy.start(("127.0.0.1", worker.port), 0.05, 0.05)
            sending, publisher = await join(router, to=proxy.address)
            receiving, viewer = await join(router, to=proxy.address)
            producer = await sending.produce(kind="video", rtp_parameters=VP8)
            consumer = await receiving.consume(producer.id, rtp_capabilities=CAPABILITIES)
            ssrc = consumer.rtp_parameters.encodings[0].ssrc
            sent: dict[int, bytes] = {}
            bodies: dict[int, bytes] = {}
            missing: dict[int, float] = {}
            newest = -1
            repaired = 0

            def on_feedback(data, at_ns):
                # the publisher answers NACKs on its RTX stream
                for kind, fmt, packet in _rtcp.walk(data)[0]:
                    if kind == 205 and fmt == 1:
                        for seq in _rtcp.read(packet)["nack"]:
                            if seq in sent:
                                publisher.rtx_seq = getattr(publisher, "rtx_seq", 0) + 1
                                publisher.send_rtp(
                                    rtp.build(
                                        payload_type=97,
                                        sequence_number=publisher.rtx_seq & 0xFFFF,
                                        timestamp=1,
                                        ssrc=7,
                                        payload=struct.pack("!H", seq) + rtp.parse(sent[seq]).payload,
                                    )
                                )

            def on_media(data, at_ns):
                nonlocal newest, repaired
                header = rtp.parse(data)
                if not header.payload:
                    return
                seq, payload = header.sequence_number, header.payload
                if header.ssrc != ssrc:
                    seq, payload = struct.unpack("!H", payload[:2])[0], payload[2:]
                repaired += seq in missing
                missing.pop(seq, None)
                bodies[seq] = payload[7:]
                if newest >= 0:
                    for lost in range(newest + 1, seq):
                        missing.setdefault(lost, time.monotonic())
                newest = max(newest, seq)

            publisher.on_rtcp = on_feedback
            viewer.on_rtp = on_media
            lost_ever = 0
            for seq in range(3000):
                packet = rtp.build(
                    payload_type=96,
                    sequence_number=seq,
                    timestamp=seq // 4 * 3000,
                    ssrc=6,
                    marker=seq % 4 == 3,
                    payload=vp8_payload(seq // 4, start=seq % 4 == 0, key=seq % 400 < 4, body=b"body %d" % seq),
                )
                sent[seq] = packet
                publisher.send_rtp(packet)
                if seq % 4 == 3:
                    await asyncio.sleep(0.01)
                    due = [s for s, since in missing.items() if time.monotonic() - since > 0.015]
                    for s in due:
                        missing[s] = time.monotonic() + 0.1
                    if due:
                        viewer.send_rtcp(_rtcp.write("nack", sender_ssrc=1, media_ssrc=ssrc, seqs=sorted(due)))
            for _ in range(10):
                await asyncio.sleep(0.12)
                if missing:
                    viewer.send_rtcp(_rtcp.write("nack", sender_ssrc=1, media_ssrc=ssrc, seqs=sorted(missing)))
            assert proxy.lost > 250
            figures = consumer.stats()
            upstream = producer.stats()[0]
            expected = upstream["expected"]
            assert upstream["packets"] >= expected - 0.05 * 0.05 * expected, "the router mends what publishers lose"
            assert upstream["recovered"] > 100
            lost_ever = repaired + len(missing)
            assert repaired >= 0.95 * lost_ever, (repaired, len(missing))
            assert figures["resent"] > 100
            base = newest - max(int(body.split()[1]) for body in bodies.values())
            assert all(body == b"body %d" % (seq - base) for seq, body in bodies.items())
            proxy.close()
            publisher.close()
            viewer.close()

    asyncio.run(scenario())


def test_r16_the_receive_buffer_is_large_and_what_the_kernel_drops_is_counted():
    async def scenario():
        async with await Worker.create() as worker:
            assert worker.recv_buffer_size >= 2 * 1024 * 1024
            assert worker.counters()["kernel_dropped"] == 0

    asyncio.run(scenario())
