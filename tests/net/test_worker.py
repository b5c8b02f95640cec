"""Workers, routers, transports, producers and consumers, as a service calls them."""

import asyncio

import msgspec
import pytest

from mediarouter import (
    DtlsFingerprint,
    DtlsParameters,
    IceParameters,
    InvalidStateError,
    NegotiationError,
    RtpCapabilities,
    UnsupportedError,
    Worker,
    _ccfb_commands,
)
from mediarouter.congestion import StreamClass
from mediarouter.parameters import (
    MID,
    RID,
    TRANSPORT_CC,
    RtcpFeedback,
    RtpCodecCapability,
    RtpCodecParameters,
    RtpEncodingParameters,
    RtpHeaderExtension,
    RtpHeaderExtensionParameters,
    RtpParameters,
    WantedLayer,
)
from tests.e2e.test_light_clients import CAPABILITIES, OPUS, VP8

FEEDBACK = (RtcpFeedback("nack"), RtcpFeedback("transport-cc"))
WATCHED = RtpCapabilities(
    (RtpCodecCapability("video", "video/VP8", 90000, rtcp_feedback=FEEDBACK, preferred_payload_type=120),),
    (RtpHeaderExtension("video", TRANSPORT_CC, 3),),
)
FINGERPRINT = DtlsFingerprint("sha-256", ":".join(["AB"] * 32))


def run(scenario):
    """With a worker and a router."""

    async def main():
        async with await Worker.create() as worker:
            await scenario(worker, await worker.create_router())

    asyncio.run(main())


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", [], ["127.0.0.1:0"] * 9])
def test_malformed_addresses_are_a_callers_mistake(listen):
    with pytest.raises(ValueError):
        asyncio.run(Worker.create(listen=listen))


def test_an_address_in_use_says_so_and_leaks_nothing():
    async def scenario(worker, router):
        with pytest.raises(OSError):
            await Worker.create(listen=["127.0.0.1:0", f"127.0.0.1:{worker.port}"])

    run(scenario)


def test_a_closed_workers_port_can_be_taken():
    async def main():
        async with await Worker.create() as worker:
            pass
        async with await Worker.create(listen=f"127.0.0.1:{worker.port}") as other:
            assert other.port == worker.port

    asyncio.run(main())


def test_announced_addresses_are_told_to_clients():
    async def main():
        async with await Worker.create(
            listen=["0.0.0.0:0", "[::]:0"], announce=["203.0.113.7", "2001:db8::1"]
        ) as worker:
            router = await worker.create_router()
            transport = await router.create_webrtc_transport()
            told = [(c.address, c.protocol, c.port) for c in transport.ice_candidates]
            ports = dict(worker.listening)
            assert told == [
                ("203.0.113.7", "udp", ports["0.0.0.0"]),
                ("2001:db8::1", "udp", ports["::"]),
                ("203.0.113.7", "tcp", ports["0.0.0.0"]),
                ("2001:db8::1", "tcp", ports["::"]),
            ]
            priorities = [c.priority for c in transport.ice_candidates]
            assert priorities == sorted(priorities, reverse=True)

    asyncio.run(main())


def test_we_are_the_dtls_server_unless_the_client_insists():
    async def scenario(worker, router):
        for theirs, ours in (("auto", "server"), ("client", "server"), ("server", "client")):
            transport = await router.create_webrtc_transport()
            assert transport.dtls_parameters.role == "auto"
            await transport.connect(DtlsParameters((FINGERPRINT,), theirs))
            assert transport.dtls_parameters.role == ours
            with pytest.raises(InvalidStateError, match="connected already"):
                await transport.connect(DtlsParameters((FINGERPRINT,)))

    run(scenario)


def test_fingerprints_nobody_can_check_are_refused():
    async def scenario(worker, router):
        transport = await router.create_webrtc_transport()
        with pytest.raises(NegotiationError):
            await transport.connect(DtlsParameters((DtlsFingerprint("md5", "AA"),)))
        await transport.connect(DtlsParameters((FINGERPRINT,)), IceParameters("abcd", "x" * 22))

    run(scenario)


def test_what_cannot_be_produced_is_refused_with_the_reason():
    async def scenario(worker, router):
        transport = await router.create_webrtc_transport()
        g729 = RtpParameters((RtpCodecParameters("audio/G729", 18, 8000),), "a")
        with pytest.raises(UnsupportedError, match="G729"):
            await transport.produce(kind="audio", rtp_parameters=g729)
        with pytest.raises(NegotiationError, match="is not video"):
            await transport.produce(kind="video", rtp_parameters=OPUS)
        await transport.produce(kind="audio", rtp_parameters=OPUS)
        with pytest.raises(NegotiationError, match="mid"):
            await transport.produce(kind="audio", rtp_parameters=OPUS)
        same_ssrc = RtpParameters(OPUS.codecs, "b", encodings=(RtpEncodingParameters(5),))
        with pytest.raises(NegotiationError, match="SSRC"):
            await transport.produce(kind="audio", rtp_parameters=same_ssrc)
        assert len(router.producers) == 1

    run(scenario)


def test_what_cannot_be_consumed_is_refused_with_the_reason():
    async def scenario(worker, router):
        sending, receiving = await router.create_webrtc_transport(), await router.create_webrtc_transport()
        producer = await sending.produce(kind="video", rtp_parameters=VP8)
        assert router.can_consume(producer.id, CAPABILITIES)
        assert not router.can_consume(producer.id, RtpCapabilities())
        assert not router.can_consume("nobody", CAPABILITIES)
        with pytest.raises(InvalidStateError, match="no producer"):
            await receiving.consume("nobody", rtp_capabilities=CAPABILITIES)
        with pytest.raises(UnsupportedError, match="VP8"):
            await receiving.consume(producer.id, rtp_capabilities=RtpCapabilities())
        consumer = await receiving.consume(producer.id, rtp_capabilities=CAPABILITIES)
        assert [c.payload_type for c in consumer.rtp_parameters.codecs] == [120, 121]
        assert consumer.rtp_parameters.rtcp.cname == sending.cname

    run(scenario)


def test_a_transports_bitrates_are_checked_and_kept():
    async def scenario(worker, router):
        sending, receiving = await router.create_webrtc_transport(), await router.create_webrtc_transport()
        producer = await sending.produce(kind="video", rtp_parameters=VP8)
        await receiving.set_min_outgoing_bitrate(50_000)
        await receiving.set_max_outgoing_bitrate(600_000)
        with pytest.raises(ValueError, match="bandwidth must be"):
            await receiving.set_max_outgoing_bitrate(49_999)
        with pytest.raises(ValueError, match="bandwidth must be"):
            await receiving.set_min_outgoing_bitrate(600_001)
        await receiving.consume(producer.id, rtp_capabilities=WATCHED)
        assert receiving.stats()["downlink"]["target_bps"] == 600_000
        await receiving.set_max_outgoing_bitrate(300_000)
        assert receiving.stats()["downlink"]["target_bps"] == 300_000
        await receiving.set_max_outgoing_bitrate(900_000)
        await receiving.set_min_outgoing_bitrate(700_000)
        assert receiving.stats()["downlink"]["target_bps"] == 700_000
        unwatched = await router.create_webrtc_transport(bandwidth=None)
        with pytest.raises(InvalidStateError, match="bandwidth=None"):
            await unwatched.set_max_outgoing_bitrate(300_000)
        receiving.close()
        with pytest.raises(InvalidStateError, match="closed"):
            await receiving.set_min_outgoing_bitrate(300_000)

    run(scenario)


@pytest.mark.parametrize(
    ("feedback", "uris", "watched"),
    [
        (("transport-cc", "ack"), (TRANSPORT_CC,), "transport-cc"),
        (("transport-cc", "ack"), (), "ack ccfb"),
        (("ack",), (TRANSPORT_CC,), "ack ccfb"),
        ((), (TRANSPORT_CC,), None),
    ],
)
def test_one_form_of_feedback_is_agreed_each_way(monkeypatch, feedback, uris, watched):
    told = []
    monkeypatch.setattr(_ccfb_commands, "begin_reports", lambda engine, handle: told.append(handle))
    kinds = tuple(RtcpFeedback(kind, "ccfb" if kind == "ack" else "") for kind in feedback)

    async def scenario(worker, router):
        sender, viewer = [await router.create_webrtc_transport() for _ in range(2)]
        codec = RtpCodecParameters("video/VP8", 96, 90000, rtcp_feedback=kinds)
        sent = RtpParameters((codec,), "0", tuple(RtpHeaderExtensionParameters(uri, 5) for uri in uris))
        producer = await sender.produce(kind="video", rtp_parameters=sent)
        wanted = RtpCodecCapability("video", "video/VP8", 90000, rtcp_feedback=kinds, preferred_payload_type=100)
        extensions = tuple(RtpHeaderExtension("video", uri, 5) for uri in uris)
        await viewer.consume(producer.id, rtp_capabilities=RtpCapabilities((wanted,), extensions))
        downlink = viewer.stats()["downlink"]
        assert (downlink and downlink["feedback"]) == watched
        assert told == ([sender._handle] if watched == "ack ccfb" else [])

    run(scenario)


def test_a_consumers_settings_are_checked_and_kept():
    async def scenario(worker, router):
        sending, receiving = await router.create_webrtc_transport(), await router.create_webrtc_transport()
        producer = await sending.produce(kind="video", rtp_parameters=VP8)
        consumer = await receiving.consume(producer.id, rtp_capabilities=CAPABILITIES, paused=True)
        assert consumer.paused and consumer.preferred_layers == (None, None) and consumer.current_layers is None
        await consumer.resume()
        await consumer.set_preferred_layers(1, 2)
        assert consumer.preferred_layers == (1, 2)
        for wrong in ((4, 0), (-1, 0), (0, 8)):
            with pytest.raises(ValueError):
                await consumer.set_preferred_layers(*wrong)
        for wrong in (0, 256):
            with pytest.raises(ValueError):
                await consumer.set_priority(wrong)
        await consumer.set_priority(255)
        await consumer.request_key_frame()
        assert consumer.priority == 255 and consumer.preferred_layers == (1, 2)
        assert consumer.stream_class is StreamClass.GRID
        await consumer.set_stream_class(StreamClass.PINNED)
        for wrong in (StreamClass.AUDIO, 5, -1):
            with pytest.raises(ValueError):
                await consumer.set_stream_class(wrong)
        assert consumer.stream_class is StreamClass.PINNED
        heard = []
        consumer.on("producer_pause", lambda: heard.append("pause"))
        consumer.on("producer_resume", lambda: heard.append("resume"))
        await producer.pause()
        await producer.pause()
        assert consumer.producer_paused and not consumer.paused
        await producer.resume()
        assert heard == ["pause", "resume"]
        assert consumer.stats()["packets"] == 0 and producer.stats()[0]["packets"] == 0

    run(scenario)


def simulcast(*feedback: RtcpFeedback) -> RtpParameters:
    return RtpParameters(
        (RtpCodecParameters("video/VP8", 96, 90000, rtcp_feedback=feedback),),
        "v",
        (RtpHeaderExtensionParameters(MID, 1), RtpHeaderExtensionParameters(RID, 2)),
        tuple(RtpEncodingParameters(rid=rid) for rid in "qhf"),
    )


def test_a_service_hears_which_layers_are_wanted():
    async def scenario(worker, router):
        sending, receiving = await router.create_webrtc_transport(), await router.create_webrtc_transport()
        producer = await sending.produce(kind="video", rtp_parameters=simulcast())
        heard: asyncio.Queue[tuple[WantedLayer, ...]] = asyncio.Queue()
        producer.on("wanted_layers", heard.put_nowait)
        everything = tuple(WantedLayer(rid, True) for rid in "qhf")
        nothing = tuple(WantedLayer(rid, False) for rid in "qhf")
        assert producer.wanted_layers == everything
        assert await asyncio.wait_for(heard.get(), 10) == nothing == producer.wanted_layers
        consumer = await receiving.consume(producer.id, rtp_capabilities=CAPABILITIES, preferred_layers=(1, 1))
        low = (WantedLayer("q", True, 1), WantedLayer("h", True, 1), WantedLayer("f", False))
        assert await asyncio.wait_for(heard.get(), 10) == low == producer.wanted_layers
        assert msgspec.to_builtins(low[0]) == {"rid": "q", "active": True, "temporal": 1}
        await consumer.set_preferred_layers(None)
        assert await asyncio.wait_for(heard.get(), 10) == everything
        producer.close()
        assert producer.wanted_layers == nothing

    run(scenario)


def test_a_limit_for_what_a_client_sends_is_checked_and_kept():
    async def scenario(worker, router):
        transport = await router.create_webrtc_transport()
        await transport.produce(kind="video", rtp_parameters=simulcast(RtcpFeedback("goog-remb")))
        assert transport.max_incoming_bitrate is None
        await transport.set_max_incoming_bitrate(500_000, wanted_only=True)
        assert transport.max_incoming_bitrate == 500_000
        for wrong in (0, -1, 999, 1_000_000_001, 1 << 70):
            with pytest.raises(ValueError, match="bit rate"):
                await transport.set_max_incoming_bitrate(wrong)
        for wrong in ("1000", 1e6, True):
            with pytest.raises(TypeError, match="bit rate"):
                await transport.set_max_incoming_bitrate(wrong)
        assert transport.max_incoming_bitrate == 500_000
        await transport.set_max_incoming_bitrate(None)
        assert transport.max_incoming_bitrate is None
        transport.close()
        with pytest.raises(InvalidStateError, match="transport closed"):
            await transport.set_max_incoming_bitrate(500_000)

    run(scenario)


def test_closing_a_transport_closes_what_hangs_on_it_and_others_hear_of_it():
    async def scenario(worker, router):
        sending, receiving = await router.create_webrtc_transport(), await router.create_webrtc_transport()
        producer = await sending.produce(kind="audio", rtp_parameters=OPUS)
        consumer = await receiving.consume(producer.id, rtp_capabilities=CAPABILITIES)
        heard = []
        consumer.on("producer_close", lambda: heard.append("gone"))
        sending.close()
        assert heard == ["gone"] and consumer.closed and producer.closed
        assert not router.producers and not receiving.consumers
        assert list(router.transports.values()) == [receiving]
        assert not worker._receivers.keys() - {("transport", receiving._handle)}

    run(scenario)
