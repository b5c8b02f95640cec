"""Who is sent what in a room, and that nothing outlives those who use it."""

import asyncio

import pytest

from mediarouter import NegotiationError, UnsupportedError
from mediarouter.transports.webrtc import WebRtcTransport
from mediarouter.web import rooms
from mediarouter.web.rooms import FullError, is_name
from tests.web.door import offer, opus, soon


def sent_to(connection) -> dict[str, str]:
    """The publisher of each section."""
    producers = connection.room.router.producers
    return {mid: producers[c.producer_id].app_data["connection"] for mid, c in connection.consumers.items()}


@pytest.mark.parametrize("name", ["a", "Ann.B-c_d~1", "x" * 64, "été"])
def test_names(name):
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a/b", "a\n", "<b>", '"', "a\x00"])
def test_names_that_are_none(name):
    assert not is_name(name)


def test_a_viewer_that_names_no_stream_gets_the_first_audio_and_video(run):
    async def scenario(door):
        first = door.connection(await door.post("/whip/hall", "audio sendonly", "video sendonly"))
        second = door.connection(await door.post("/whip/hall", "audio sendonly", "video sendonly"))
        viewer = door.connection(await door.post("/whep/hall", "audio recvonly", "video recvonly"))
        assert sent_to(viewer) == {"0": first.id, "1": first.id}
        greedy = door.connection(await door.post("/whep/hall", *["video recvonly"] * 3))
        assert sent_to(greedy) == {"0": first.id, "1": second.id} and list(greedy.waiting) == ["2"]
        elsewhere = door.connection(await door.post("/whep/other", "video recvonly"))
        assert not elsewhere.consumers

    run(scenario)


def test_a_viewer_that_names_a_stream_gets_that_and_no_other(run):
    async def scenario(door):
        first = door.connection(await door.post("/whip/hall", "audio sendonly"))
        ann = door.connection(await door.post("/whip/hall?name=ann", "audio sendonly"))
        for stream, publisher in (("ann", ann), (ann.id, ann), (first.id, first)):
            viewer = door.connection(await door.post(f"/whep/hall/{stream}", "audio recvonly", "audio recvonly"))
            assert sent_to(viewer) == {"0": publisher.id}
        nobody = door.connection(await door.post("/whep/hall/bob", "audio recvonly"))
        assert not nobody.consumers
        bob = door.connection(await door.post("/whip/hall?name=bob", "audio sendonly"))
        assert sent_to(nobody) == {"0": bob.id}

    run(scenario)


def test_who_comes_first_waits_and_is_sent_what_comes_later(run):
    async def scenario(door):
        viewer, watched = await door.join("/whep/hall", "audio recvonly")
        publisher, _ = await door.join("/whip/hall", "audio sendonly")
        assert not door.connection(watched).waiting
        publisher.send_rtp(opus(1))
        assert await viewer.payload() == b"opus 1"

    run(scenario)


def test_a_publisher_that_leaves_frees_its_sections_for_the_next(run):
    async def scenario(door):
        viewer, watched = await door.join("/whep/hall", "audio recvonly")
        first, created = await door.join("/whip/hall", "audio sendonly")
        second, _ = await door.join("/whip/hall", "audio sendonly")
        first.send_rtp(opus(1))
        assert await viewer.payload() == b"opus 1"
        connection = door.connection(watched)
        await door.http.delete(created.headers["Location"])
        await soon(asyncio.gather(*connection.room._refilling))
        second.send_rtp(opus(2))
        assert await viewer.payload() == b"opus 2"
        assert not connection.waiting

    run(scenario)


def test_a_section_answered_with_one_codec_is_sent_no_other(run):
    async def scenario(door):
        first = await door.post("/whip/hall", "video sendonly")
        viewer = door.connection(await door.post("/whep/hall", "both recvonly"))
        waiting = door.connection(await door.post("/whep/hall", "both recvonly", "both recvonly"))
        await door.http.delete(first.headers["Location"])
        h264 = door.connection(await door.post("/whip/hall", "h264 sendonly"))
        assert not viewer.consumers and sent_to(waiting) == {"1": h264.id}
        vp8 = door.connection(await door.post("/whip/hall", "video sendonly"))
        assert sent_to(viewer) == {"0": vp8.id}

    run(scenario)


def test_a_viewer_that_cannot_be_served_is_no_fault_of_the_publisher(run, monkeypatch):
    async def scenario(door):
        unlucky = door.connection(await door.post("/whep/hall", "audio recvonly"))
        lucky = door.connection(await door.post("/whep/hall", "audio recvonly"))

        async def consume(transport, *arguments, **options):
            if transport is unlucky.transport:
                raise UnsupportedError("not this")
            return await real(transport, *arguments, **options)

        real = WebRtcTransport.consume
        monkeypatch.setattr(WebRtcTransport, "consume", consume)
        await door.post("/whip/hall", "audio sendonly")
        assert list(unlucky.waiting) == ["0"] and list(lucky.consumers) == ["0"]

    run(scenario)


def test_who_asks_for_an_answer_and_never_comes_is_forgotten(run, monkeypatch):
    async def scenario(door):
        peer, came = await door.join("/whip/hall", "audio sendonly")
        assert door.connection(came)._deadline.cancelled()
        monkeypatch.setattr(rooms, "CONNECT_TIMEOUT_US", 1000)
        response = await door.post("/whip/hall", "audio sendonly")
        gone = asyncio.Event()
        door.connection(response).transport.on("close", gone.set)
        await soon(gone.wait())
        assert door.transports == 1 and door.connection(response) is None and door.connection(came)

    run(scenario)


def test_a_client_that_closes_dtls_has_left(run):
    async def scenario(door):
        peer, created = await door.join("/whip/hall", "audio sendonly")
        gone = asyncio.Event()
        door.connection(created).transport.on("close", gone.set)
        peer._dtls.close()
        peer._flush()
        await soon(gone.wait())
        assert door.nothing_is_left()

    run(scenario)


def test_an_offer_with_new_credentials_restarts_ice(run):
    async def scenario(door):
        peer, created = await door.join("/whip/hall", "audio sendonly")
        connection = door.connection(created)
        before, etag = connection.transport.ice_parameters, connection.etag
        answer = await connection.publish(offer(peer, "audio sendonly"))
        assert connection.transport.ice_parameters == before and connection.etag == etag
        answer = await connection.publish(offer(None, "audio sendonly"))
        fresh = connection.transport.ice_parameters
        assert fresh != before and fresh.username_fragment in answer and connection.etag != etag
        assert connection.is_with(offer(peer, "audio sendonly"))
        assert not connection.is_with(offer(peer, "audio sendonly", fingerprint="sha-256 " + ":".join(["AB"] * 32)))
        with pytest.raises(NegotiationError):
            connection.is_with("nonsense")

    run(scenario)


def test_a_later_offer_adds_and_takes_away(run):
    async def scenario(door):
        created = await door.post("/whip/hall", "audio sendonly")
        connection = door.connection(created)
        await connection.publish(offer(None, "audio sendonly", "video sendonly"))
        assert sorted(connection.producers) == ["0", "1"]
        await connection.publish(offer(None, "audio inactive", "video sendonly"))
        assert sorted(connection.producers) == ["1"] and len(connection.room.router.producers) == 1

    run(scenario)


def test_a_connection_publishes_no_more_than_it_may(run):
    async def scenario(door):
        connection = door.connection(await door.post("/whip/hall", *["audio sendonly"] * (rooms.MAX_PRODUCERS + 2)))
        assert len(connection.producers) == rooms.MAX_PRODUCERS

    run(scenario)


def test_limits_and_failures_leave_no_empty_room(run, monkeypatch):
    async def scenario(door):
        monkeypatch.setattr(rooms, "MAX_ROOMS", 1)
        room = await door.rooms.enter("hall")
        assert await door.rooms.enter("hall") is room
        with pytest.raises(FullError, match="too many rooms"):
            await door.rooms.enter("another")

        async def broken(router):
            raise MemoryError("no memory for a transport")

        with monkeypatch.context() as patch:
            patch.setattr(type(room.router), "create_webrtc_transport", broken)
            with pytest.raises(MemoryError):
                await room.connect("")
        assert door.nothing_is_left()

    run(scenario)


def test_closing_the_rooms_closes_everything(run):
    async def scenario(door):
        for name in ("hall", "kitchen"):
            await door.post(f"/whip/{name}", "audio sendonly", "video sendonly")
            await door.post(f"/whep/{name}", "audio recvonly", "video recvonly")
        assert door.transports == 4
        door.rooms.close()
        assert door.nothing_is_left()
        door.rooms.close()

    run(scenario)
