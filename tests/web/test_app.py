"""The application: page, metrics, mounted elsewhere, behind a real web server."""

import asyncio
import json
import re
import socket

import httpx
import pytest
import uvicorn
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.asyncio.client import connect

from mediarouter.web.app import STATIC, create_app
from tests.web.door import SDP, offer, opus, soon

PAGE = (STATIC / "index.html").read_text()
SCRIPT = (STATIC / "app.js").read_text()


@pytest.mark.parametrize("path", ["/", "/r/lobby"])
def test_the_page_and_its_headers(run, path):
    async def scenario(door):
        response = await door.http.get(path)
        assert response.status_code == 200 and response.headers["content-type"].startswith("text/html")
        policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["connect-src"] == "'self'" and policy["base-uri"] == "'none'" and policy["frame-ancestors"]
        assert response.headers["Referrer-Policy"] == "no-referrer", "a token may be in the address"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "microphone=(self)" in response.headers["Permissions-Policy"]
        for name in re.findall(r'(?:src|href)="(/[^"]+)"', response.text):
            file = await door.http.get(name)
            assert file.status_code == 200 and file.headers["X-Content-Type-Options"] == "nosniff", name
        assert (await door.http.get("/static/../app.py")).status_code == 404
        assert (await door.http.get("/static/%2e%2e/app.py")).status_code == 404

    run(scenario)


def test_the_page_puts_no_text_of_others_into_markup_and_has_what_its_script_asks_for():
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", SCRIPT)
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", PAGE), "the policy would block it"
    for name in set(re.findall(r'\$\("([\w-]+)"\)', SCRIPT)):
        assert f'id="{name}"' in PAGE, name
    for name in set(re.findall(r'querySelector\("\.([\w-]+)"\)', SCRIPT)):
        assert re.search(rf'class="[^"]*\b{name}\b', PAGE), name


def test_the_page_can_be_used_by_keyboard_and_ear():
    for name in re.findall(r'<input id="([\w-]+)"', PAGE):
        assert f'<label for="{name}">' in PAGE
    assert not re.search(r"<(div|span)[^>]*onclick", PAGE)
    assert 'role="status"' in PAGE and 'role="alert"' in PAGE and ":focus-visible" in (STATIC / "style.css").read_text()


def test_without_the_page(run):
    async def scenario(door):
        for path in ("/", "/r/x", "/static/app.js"):
            assert (await door.http.get(path)).status_code == 404
        await door.post("/whip/hall", "audio sendonly")

    run(scenario, meeting_page=False)


def test_an_empty_token_is_a_mistake(run):
    async def scenario(door):
        with pytest.raises(ValueError, match="token is empty"):
            create_app(door.worker, token="")

    run(scenario)


def metrics_of(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f"[{v}]" for v in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_prometheus_with_named_drops(run):
    async def scenario(door):
        publisher, _ = await door.join("/whip/hall", "audio sendonly")
        viewer, _ = await door.join("/whep/hall", "audio recvonly")
        publisher.send_rtp(opus(1))
        await viewer.payload()
        publisher.send_rtp(opus(2, ssrc=999))
        publisher.send_rtp(opus(3))
        await viewer.payload()
        response = await door.http.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = metrics_of(response.text)
        assert found["mediarouter_rooms"] == 1 and found["mediarouter_connections"] == 2
        assert found["mediarouter_rtp_packets_forwarded_total"] >= 2
        counters = door.worker.counters()
        reasons = [name.removeprefix("dropped_") for name in counters if name.startswith("dropped_")]
        assert len(reasons) > 10 and all(f"mediarouter_dropped_total[{reason}]" in found for reason in reasons)
        assert sum(found[f"mediarouter_dropped_total[{reason}]"] for reason in reasons) >= 1
        if len(door.workers) > 1:
            assert all(0 <= found[f"mediarouter_worker_busy[{worker.port}]"] <= 1 for worker in door.workers)
            assert counters["rtp_packets_piped"] >= 2, "the viewer is on the other worker"

    run(scenario)


def test_mounted_below_a_path_locations_and_links_carry_it(run):
    async def scenario(door):
        outer = Starlette(routes=[Mount("/video", Starlette(routes=[Mount("/v 1", door.app)]))])
        transport = httpx.ASGITransport(outer)
        async with httpx.AsyncClient(transport=transport, base_url="http://sfu.test") as http:
            made = await http.post("/video/v%201/whip/hall", content=offer(None, "audio sendonly"), headers=SDP)
            location = made.headers["Location"]
            assert made.status_code == 201 and location.startswith("/video/v%201/sessions/")
            page = await http.get("/video/v%201/r/hall")
            links = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
            assert len(links) == 2
            for link in links:
                assert (await http.get(link)).status_code == 200, link
            assert (await http.delete(location)).status_code == 200
        assert door.nothing_is_left()

    run(scenario)


def test_the_end_of_the_application_closes_its_rooms(run):
    async def scenario(door):
        await door.post("/whip/hall", "audio sendonly")
        async with door.app.router.lifespan_context(door.app):
            assert door.transports == 1
        assert door.nothing_is_left()

    run(scenario)


class Watched:
    """An application that tells when a request is over."""

    def __init__(self, app):
        self.app, self.over = app, asyncio.Event()

    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] != "lifespan":
                self.over.set()


async def served(door, use):
    """Behind uvicorn on a free port."""
    watched = Watched(door.app)
    config = uvicorn.Config(watched, log_config=None)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.startup(sockets=[listener])
        try:
            await use(watched, listener.getsockname()[1])
        finally:
            await server.shutdown(sockets=[listener])


def test_a_client_of_a_real_server_that_goes_in_the_middle_leaves_nothing(run):
    async def scenario(door):
        async def use(watched, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = "POST /whip/hall HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 900\r\n\r\n"
            writer.write(head.encode() + b"v=0\r\n")
            await writer.drain()
            writer.close()
            await soon(watched.over.wait())
            assert door.nothing_is_left()

        await served(door, use)

    run(scenario)


def test_a_member_of_a_real_server_that_vanishes_leaves_nothing(run):
    async def scenario(door):
        async def use(watched, port):
            async with connect(f"ws://127.0.0.1:{port}/ws/hall?name=Ann", proxy=None) as member:
                assert json.loads(await soon(member.recv()))["type"] == "welcome"
                await member.send(json.dumps({"type": "publish", "sdp": offer(None, "audio sendonly")}))
                while json.loads(await soon(member.recv()))["type"] != "published":
                    pass
                assert door.transports == 1
                member.transport.abort()
            await soon(watched.over.wait())
            assert door.nothing_is_left()

        await served(door, use)

    run(scenario)
