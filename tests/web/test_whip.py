"""WHIP and WHEP as clients see them: statuses, headers, media, and what wrong requests are told."""

import hmac
import time
from pathlib import Path

import pytest

from mediarouter.sdp import SessionDescription
from mediarouter.web import rooms, whip
from tests.virtual import binding_request
from tests.web.door import FRAGMENT, SDP, offer, opus

CHROMIUM = (Path(__file__).parent.parent / "vectors" / "sdp" / "chromium-vp8sim.txt").read_text()
JSON = {"Content-Type": "application/json"}
CANDIDATE = "a=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n"
RESTART = "a=ice-ufrag:fresh\r\na=ice-pwd:" + "y" * 24 + "\r\n"


def test_what_is_published_is_seen(run):
    async def scenario(door):
        publisher, created = await door.join("/whip/hall", "audio sendonly")
        viewer, watched = await door.join("/whep/hall", "audio recvonly")
        for response in (created, watched):
            assert response.headers["content-type"] == "application/sdp"
            assert response.headers["Location"].startswith("/sessions/")
            assert response.headers["ETag"].startswith('"') and response.headers["ETag"].endswith('"')
            assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
            assert "Link" not in response.headers
        assert created.headers["ETag"] != watched.headers["ETag"]
        for number in range(5):
            publisher.send_rtp(opus(number))
            assert await viewer.payload() == b"opus %d" % number

    run(scenario)


def test_ice_servers_are_linked(run):
    async def scenario(door):
        response = await door.post("/whip/hall", "audio sendonly")
        assert response.headers.get_list("link") == [
            '<stun:stun.example.net>; rel="ice-server"',
            '<turn:turn.example.net?transport=udp>; rel="ice-server"',
        ]

    run(scenario, ice_servers=["stun:stun.example.net", "turn:turn.example.net?transport=udp"])


def test_pages_from_elsewhere_may_ask(run):
    async def scenario(door):
        for path, methods, accepts in (
            ("/whip/hall", "POST, OPTIONS", ("Accept-Post", "application/sdp")),
            ("/whep/hall", "POST, OPTIONS", ("Accept-Post", "application/sdp")),
            ("/whep/hall/ann", "POST, OPTIONS", ("Accept-Post", "application/sdp")),
            ("/sessions/x", "PATCH, PUT, DELETE, OPTIONS", ("Accept-Patch", "application/trickle-ice-sdpfrag")),
        ):
            # a preflight carries no token
            response = await door.http.options(path, headers={"Origin": "https://elsewhere.example"})
            assert response.status_code == 200
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert response.headers["Access-Control-Allow-Methods"] == response.headers["Allow"] == methods
            assert response.headers[accepts[0]] == accepts[1]
            for name in ("Authorization", "Content-Type", "If-Match"):
                assert name in response.headers["Access-Control-Allow-Headers"]
        refused = await door.http.post("/whip/hall", headers=SDP)
        assert refused.status_code == 401 and refused.headers["Access-Control-Allow-Origin"] == "*"
        for name in ("Location", "ETag", "Link", "Accept-Patch", "WWW-Authenticate"):
            assert name in refused.headers["Access-Control-Expose-Headers"]

    run(scenario, token="secret")


def test_the_token_is_asked_for_everywhere(run, monkeypatch):
    compared = []

    def recorded(a, b):
        compared.append((a, b))
        return same(a, b)

    same = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", recorded)

    async def scenario(door):
        text = offer(None, "audio sendonly")
        good = {"Authorization": "Bearer secret"}
        created = await door.http.post("/whip/hall", content=text, headers=SDP | good)
        assert created.status_code == 201
        location = created.headers["Location"]
        for method, path in (
            ("POST", "/whip/hall"),
            ("POST", "/whep/hall"),
            ("PATCH", location),
            ("PUT", location),
            ("DELETE", location),
        ):
            for shown, status in ((None, 401), ("Basic c2VjcmV0", 401), ("Bearer", 401), ("Bearer wrong", 403)):
                headers = SDP | ({"Authorization": shown} if shown else {})
                response = await door.http.request(method, path, content=text, headers=headers)
                assert response.status_code == status and "token" in response.text
                assert ("WWW-Authenticate" in response.headers) == (status == 401)
        assert (await door.http.delete(location, headers={"Authorization": "bearer  secret "})).status_code == 200
        assert door.nothing_is_left()

    run(scenario, token="secret")
    assert (b"wrong", b"secret") in compared, "the time it takes must not tell how much of a guess is right"


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "says"),
    [
        ("POST", "/whip/hall", SDP, b"", 400, "empty"),
        ("POST", "/whip/hall", SDP, b"v=0\r\n", 400, "no media"),
        ("POST", "/whip/hall", SDP, b"\xff\xfe\x00garbage", 400, "UTF-8"),
        ("POST", "/whip/hall", SDP, bytes(range(128)), 400, "SDP line"),
        ("POST", "/whip/hall", SDP, b"v=0\r\nm=audio " + b"9" * 6000 + b" RTP/SAVPF 0\r\n", 400, "port"),
        ("POST", "/whip/hall", {}, b"v=0", 415, "application/sdp"),
        ("POST", "/whip/hall", JSON, b"{}", 415, "application/sdp"),
        ("POST", "/whip/hall", SDP, b"v=0\r\n" + b"a" * 65536, 413, "65536"),
        ("POST", "/whip/hall", SDP | {"Content-Length": "9" * 5000}, b"v=0", 413, "65536"),
        ("POST", "/whip/hall", SDP | {"Content-Length": "1000"}, b"v=0", 400, "shorter"),
        ("POST", "/whip/no%20name", SDP, b"v=0", 400, "room"),
        ("POST", "/whip/" + "x" * 65, SDP, b"v=0", 400, "room"),
        ("POST", "/whep/hall/no%24name", SDP, offer(None, "audio recvonly").encode(), 400, "stream"),
        ("POST", "/whip/hall", SDP, offer(None, "audio recvonly").encode(), 406, "brings no"),
        ("POST", "/whip/hall", SDP, offer(None, "g729 sendonly").encode(), 406, "brings no"),
        ("POST", "/whep/hall", SDP, offer(None, "audio sendonly").encode(), 406, "wants no"),
        ("POST", "/whep/hall?layer=x", SDP, b"v=0", 400, "layer"),
        ("POST", "/whep/hall?layer=0,1,2", SDP, b"v=0", 400, "layer"),
        ("POST", "/whep/hall?layer=" + "9" * 5000, SDP, b"v=0", 400, "layer"),
        ("POST", "/whep/hall?layer=4", SDP, b"v=0", 422, "0 to 3"),
        ("POST", "/whep/hall?layer=0,8", SDP, b"v=0", 422, "0 to 7"),
        ("POST", "/sessions/x", SDP, b"v=0", 405, "Method Not Allowed"),
        ("GET", "/whip/hall", {}, b"", 405, "Method Not Allowed"),
        ("PUT", "/whip/hall", SDP, b"v=0", 405, "Method Not Allowed"),
        ("DELETE", "/whep/hall", {}, b"", 405, "Method Not Allowed"),
        ("PATCH", "/sessions/nobodys", FRAGMENT, CANDIDATE.encode(), 404, "no such session"),
        ("PUT", "/sessions/nobodys", JSON, b"{}", 404, "no such session"),
        ("DELETE", "/sessions/nobodys", {}, b"", 404, "no such session"),
        ("DELETE", "/sessions/../whip/hall", {}, b"", 405, "Method Not Allowed"),
        ("POST", "/whip", SDP, b"v=0", 404, "Not Found"),
    ],
)
def test_wrong_requests_are_told_why_and_leave_nothing(run, method, path, headers, body, status, says):
    async def scenario(door):
        publisher, _ = await door.join("/whip/other", "audio sendonly")
        viewer, _ = await door.join("/whep/other", "audio recvonly")
        response = await door.http.request(method, path, content=body, headers=headers)
        assert response.status_code == status, response.text
        assert says in response.text and len(response.text) < 300
        if status == 405:
            assert response.headers["Allow"]
        assert door.transports == 2 and list(door.rooms.rooms) == ["other"]
        publisher.send_rtp(opus(1))
        assert await viewer.payload() == b"opus 1"

    run(scenario)


def test_a_body_of_64_kib_is_read_and_a_stream_of_more_is_not(run):
    async def scenario(door):
        text = offer(None, "audio sendonly")
        full = text + "a=x:" + "y" * (whip.MAX_BODY - len(text) - 4)
        assert len(full) == whip.MAX_BODY
        assert (await door.http.post("/whip/hall", content=full, headers=SDP)).status_code == 201

        async def endless():
            for _ in range(1000):
                yield b"a=more\r\n" * 1000

        refused = await door.http.post("/whip/hall", content=endless(), headers=SDP)
        assert refused.status_code == 413 and "Content-Length" not in refused.request.headers
        assert door.transports == 1

    run(scenario)


def test_a_client_that_goes_in_the_middle_of_its_offer_leaves_nothing(run):
    async def scenario(door):
        for path in ("/whip/hall", "/whep/hall"):
            messages = [{"type": "http.request", "body": b"v=0\r\n", "more_body": True}, {"type": "http.disconnect"}]

            async def receive(messages=messages):
                return messages.pop(0)

            async def send(message):
                pass

            scope = {
                "type": "http",
                "method": "POST",
                "path": path,
                "query_string": b"",
                "headers": [(b"content-type", b"application/sdp"), (b"content-length", b"900")],
            }
            await door.app(scope, receive, send)
            assert not messages and door.nothing_is_left()

    run(scenario)


def test_every_cut_of_a_real_offer_is_answered_or_refused(run):
    async def scenario(door):
        statuses = set()
        for cut in range(0, len(CHROMIUM), 11):
            response = await door.http.post("/whip/hall", content=CHROMIUM[:cut], headers=SDP)
            statuses.add(response.status_code)
            if response.status_code == 201:
                assert (await door.http.delete(response.headers["Location"])).status_code == 200
            assert door.nothing_is_left(), cut
        assert statuses == {201, 400, 406}

    run(scenario)


def test_every_flipped_letter_of_an_offer_is_answered_or_refused(run):
    async def scenario(door):
        good = bytearray(offer(None, "audio sendonly", "video sendonly").encode())
        for place in range(0, len(good)):
            flipped = bytearray(good)
            flipped[place] ^= 1 << (place % 7)
            response = await door.http.post("/whip/hall", content=bytes(flipped), headers=SDP)
            assert response.status_code in (201, 400, 406), (place, response.text)
            if response.status_code == 201:
                await door.http.delete(response.headers["Location"])
            assert door.nothing_is_left(), place

    run(scenario)


@pytest.mark.parametrize(
    "line",
    ["a=ssrc:{} cname:x", "a=rtcp-fb:* {}", "a=extmap:{} urn:x", "a=fmtp:96 x={}", "a=rid:{} send", "a=candidate:{}"],
)
def test_an_offer_stuffed_with_lines_is_settled_quickly(run, line):
    async def scenario(door):
        text = offer(None, "video sendonly")
        number = 0
        while len(text) < whip.MAX_BODY - 100:
            number += 1
            text += line.format(number) + "\r\n"
        before = time.process_time()
        response = await door.http.post("/whip/hall", content=text, headers=SDP)
        assert response.status_code in (201, 400, 406)
        assert time.process_time() - before < 1, "nobody else is served meanwhile"

    run(scenario)


def test_candidates_are_taken_under_the_right_etag(run):
    async def scenario(door):
        created = await door.post("/whip/hall", "audio sendonly")
        location, etag = created.headers["Location"], created.headers["ETag"]
        for headers, body, status in (
            ({"If-Match": etag}, CANDIDATE, 204),
            ({"If-Match": etag}, RESTART + CANDIDATE, 204),
            ({"If-Match": "*"}, CANDIDATE, 204),
            ({"If-Match": etag}, "a=end-of-candidates\r\n", 204),
            ({"If-Match": '"another"'}, CANDIDATE, 412),
            ({}, CANDIDATE, 428),
            ({"If-Match": etag}, "", 400),
            ({"If-Match": etag}, "nonsense", 400),
            ({"If-Match": "*"}, "a=ice-ufrag:half\r\n", 400),
        ):
            response = await door.http.patch(location, content=body, headers=FRAGMENT | headers)
            assert response.status_code == status, (headers, body)
        wrong = await door.http.patch(location, content=CANDIDATE, headers=SDP | {"If-Match": etag})
        assert wrong.status_code == 415 and wrong.headers["Accept-Patch"] == FRAGMENT["Content-Type"]
        assert door.connection(created).etag == etag

    run(scenario)


def test_media_goes_on_after_an_ice_restart(run):
    async def scenario(door):
        publisher, created = await door.join("/whip/hall", "audio sendonly")
        viewer, _ = await door.join("/whep/hall", "audio recvonly")
        publisher.send_rtp(opus(1))
        assert await viewer.payload() == b"opus 1"
        old = SessionDescription.parse(created.text).media[0].get("ice-ufrag")
        restarted = await door.http.patch(
            created.headers["Location"], content=RESTART, headers=FRAGMENT | {"If-Match": "*"}
        )
        assert restarted.status_code == 200
        assert restarted.headers["content-type"] == FRAGMENT["Content-Type"]
        assert restarted.headers["ETag"] not in ("", created.headers["ETag"])
        fragment = SessionDescription.parse("v=0\r\n" + restarted.text)
        ufrag, password = fragment.get("ice-ufrag"), fragment.get("ice-pwd")
        assert ufrag and password and ufrag != old and fragment.get("candidate")
        publisher._tasks[0].cancel()
        publisher._send(binding_request(f"{ufrag}:fresh".encode(), password.encode()))
        publisher.send_rtp(opus(2))
        assert await viewer.payload() == b"opus 2"
        late = await door.http.patch(
            created.headers["Location"], content=CANDIDATE, headers=FRAGMENT | {"If-Match": created.headers["ETag"]}
        )
        assert late.status_code == 412

    run(scenario)


def test_a_session_ends_once_and_alone(run):
    async def scenario(door):
        first = await door.post("/whip/hall", "audio sendonly")
        publisher, second = await door.join("/whip/hall", "audio sendonly")
        location = first.headers["Location"]
        assert (await door.http.delete(location)).status_code == 200
        for method, headers in (("DELETE", {}), ("PUT", JSON), ("PATCH", FRAGMENT)):
            assert (await door.http.request(method, location, headers=headers)).status_code == 404
        viewer, _ = await door.join("/whep/hall", "audio recvonly")
        publisher.send_rtp(opus(7))
        assert await viewer.payload() == b"opus 7"
        assert (await door.http.delete(second.headers["Location"])).status_code == 200
        assert door.transports == 1

    run(scenario)


def test_a_viewer_chooses_its_layers_at_the_start_and_later(run):
    async def scenario(door):
        await door.post("/whip/hall", "video sendonly")
        for query, layers in (("", (None, None)), ("?layer=0", (0, None)), ("?layer=1,2", (1, 2))):
            watched = await door.post(f"/whep/hall{query}", "video recvonly")
            (consumer,) = door.connection(watched).consumers.values()
            assert consumer.preferred_layers == layers
        location = watched.headers["Location"]
        for body, layers in (
            ('{"spatial": 0, "temporal": 2}', (0, 2)),
            ('{"spatial": 3}', (3, None)),
            ('{"temporal": 7, "spatial": null}', (None, 7)),
        ):
            assert (await door.http.put(location, content=body, headers=JSON)).status_code == 204
            assert consumer.preferred_layers == layers
        assert door.connection(watched).layers == (None, 7)

    run(scenario)


def test_layers_are_for_the_life_of_the_viewer(run):
    async def scenario(door):
        watched = await door.post("/whep/hall?layer=1,2", "video recvonly")
        published = await door.post("/whip/hall", "video sendonly")
        connection = door.connection(watched)
        assert connection.consumers["0"].preferred_layers == (1, 2)
        await door.http.put(watched.headers["Location"], json={"spatial": 0})
        await door.http.delete(published.headers["Location"])
        assert not connection.consumers
        await door.post("/whip/hall", "video sendonly")
        assert connection.consumers["0"].preferred_layers == (0, None)

    run(scenario)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (SDP, "{}", 415),
        (JSON, "", 400),
        (JSON, "{", 400),
        (JSON, "[" * 60000, 400),
        (JSON, '{"spatial": ' + "9" * 5000 + "}", 400),
        (JSON, "[]", 422),
        (JSON, "{}", 422),
        (JSON, "null", 422),
        (JSON, '{"spatial": 0, "colour": 1}', 422),
        (JSON, '{"spatial": true}', 422),
        (JSON, '{"spatial": 0.5}', 422),
        (JSON, '{"spatial": "0"}', 422),
        (JSON, '{"spatial": 4}', 422),
        (JSON, '{"spatial": -1}', 422),
        (JSON, '{"temporal": 8}', 422),
        (JSON, '{"temporal": NaN}', 422),
    ],
)
def test_layers_of_the_wrong_shape_change_nothing(run, headers, body, status):
    async def scenario(door):
        await door.post("/whip/hall", "video sendonly")
        watched = await door.post("/whep/hall?layer=1,1", "video recvonly")
        response = await door.http.put(watched.headers["Location"], content=body, headers=headers)
        assert response.status_code == status and 5 < len(response.text) < 200
        assert door.connection(watched).consumers["0"].preferred_layers == (1, 1)

    run(scenario)


def test_a_publisher_has_no_layers_to_choose(run):
    async def scenario(door):
        created = await door.post("/whip/hall", "video sendonly")
        response = await door.http.put(created.headers["Location"], json={"spatial": 0})
        assert response.status_code == 405 and "PUT" not in response.headers["Allow"]

    run(scenario)


def test_an_offer_of_a_closed_worker_and_of_a_full_house(run, monkeypatch):
    async def scenario(door):
        await door.post("/whip/hall", "audio sendonly")
        monkeypatch.setattr(rooms, "MAX_ROOMS", 1)
        monkeypatch.setattr(rooms, "MAX_MEMBERS", 1)
        full = await door.http.post("/whip/another", content=offer(None, "audio sendonly"), headers=SDP)
        assert full.status_code == 503 and full.headers["Retry-After"] and "too many rooms" in full.text
        await door.post("/whep/hall", "audio recvonly")
        full = await door.http.post("/whep/hall", content=offer(None, "audio recvonly"), headers=SDP)
        assert full.status_code == 503 and "the room is full" in full.text
        assert door.transports == 2
        door.worker.close()
        assert door.nothing_is_left()
        closed = await door.http.post("/whip/hall", content=offer(None, "audio sendonly"), headers=SDP)
        assert closed.status_code == 409 and closed.text in ("worker closed\n", "pool closed\n")

    run(scenario)


def test_a_client_that_is_the_dtls_server_publishes_too(run):
    async def scenario(door):
        peer = door.peer(role="server")
        created = await door.post("/whip/hall", "audio sendonly", client=peer)
        assert SessionDescription.parse(created.text).media[0].get("setup") == "active"
        await peer.accept(created.text)
        peer.send_rtp(opus(1))
        viewer, _ = await door.join("/whep/hall", "audio recvonly")
        peer.send_rtp(opus(2))
        assert await viewer.payload() == b"opus 2"

    run(scenario)
