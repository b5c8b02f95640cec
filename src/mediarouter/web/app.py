"""The ASGI application: WHIP, WHEP, the meeting page, metrics. Mount it into any other, or run it alone."""

import contextlib
import html
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from mediarouter.net.pool import WorkerPool
from mediarouter.web.rooms import Host, Rooms
from mediarouter.web.signalling import serve_meeting
from mediarouter.web.whip import Doors, Refusal

STATIC = Path(__file__).parent / "static"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob: mediastream:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
# the token may be in the page's address: it goes to nobody else
_STATIC_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
_PAGE_HEADERS = {
    **_STATIC_HEADERS,
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
}
_GAUGES = (
    "tcp_connections",
    "slab_bytes",
    "rtp_packets_gathered",
    "packets_unsent",
    "send_waiting",
    "tcp_frames_waiting",
)


class _Counters(Collector):
    """The worker's totals, or those of a pool's workers together, in Prometheus' words."""

    def __init__(self, host: Host, rooms: Rooms) -> None:
        self._host = host
        self._rooms = rooms

    def collect(self) -> "list[CounterMetricFamily | GaugeMetricFamily]":
        """Read them now."""
        families: list[CounterMetricFamily | GaugeMetricFamily] = []
        dropped = CounterMetricFamily("mediarouter_dropped", "Packets refused, by reason", labels=["reason"])
        for name, value in self._host.counters().items():
            if name.startswith("dropped_"):
                dropped.add_metric([name.removeprefix("dropped_")], value)
            elif name in _GAUGES:
                families.append(GaugeMetricFamily(f"mediarouter_{name}", name.replace("_", " "), value))
            else:
                families.append(CounterMetricFamily(f"mediarouter_{name}", name.replace("_", " "), value))
        families.append(dropped)
        if isinstance(self._host, WorkerPool):
            busy = GaugeMetricFamily("mediarouter_worker_busy", "Share of a core in the last second", labels=["port"])
            for load in self._host.stats():
                busy.add_metric([str(load.port)], load.busy)
            families.append(busy)
        rooms = tuple(self._rooms.rooms.values())
        families.append(GaugeMetricFamily("mediarouter_rooms", "Rooms", len(rooms)))
        connections = sum(len(room.connections) for room in rooms)
        families.append(GaugeMetricFamily("mediarouter_connections", "Peer connections", connections))
        return families


class _Static(StaticFiles):
    """The page's files."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """With the headers of the page."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(_STATIC_HEADERS)
        return response


def create_app(
    worker: Host,
    *,
    token: str | None = None,
    ice_servers: Sequence[str] = (),
    meeting_page: bool = True,
) -> Starlette:
    """The application.

    Args:
        worker: what routes the media, a `Worker` or a `WorkerPool`; whoever made it closes it.
        token: bearer token for WHIP and WHEP, and `?token=` of the meeting's WebSocket; None: open to all.
        ice_servers: STUN and TURN URLs that clients are told.
        meeting_page: serve the page at `/` and its WebSocket.

    Raises:
        ValueError: the token is empty.
    """
    if token == "":
        raise ValueError("the token is empty: leave it out to let everybody in")
    rooms = Rooms(worker)
    doors = Doors(rooms, token, ice_servers)
    registry = CollectorRegistry()
    registry.register(_Counters(worker, rooms))

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    text = (STATIC / "index.html").read_text("utf-8")

    async def page(request: Request) -> Response:
        # the application may be mounted below a path; the script finds its own way from there
        prefix = html.escape(quote(request.scope.get("root_path", "")))
        return HTMLResponse(text.replace('"/static/', f'"{prefix}/static/'), headers=_PAGE_HEADERS)

    async def meeting(socket: WebSocket) -> None:
        try:
            doors.check_token(f"Bearer {socket.query_params.get('token', '')}")
        except Refusal:
            await socket.accept()
            await socket.close(4401, "the token is missing or wrong")
            return
        await serve_meeting(socket, rooms)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        rooms.close()

    routes: list[Route | WebSocketRoute | Mount] = [*doors.routes(), Route("/metrics", metrics)]
    if meeting_page:
        routes += [
            Route("/", page),
            Route("/r/{room}", page),
            WebSocketRoute("/ws/{room}", meeting),
            Mount("/static", _Static(directory=STATIC)),
        ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.rooms = rooms
    return app
