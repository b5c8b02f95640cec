"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): publishing and watching by one HTTP request."""

import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mediarouter.errors import MediaRouterError, NegotiationError, UnsupportedError
from mediarouter.web.negotiation import read_fragment, write_fragment
from mediarouter.web.rooms import Connection, FullError, Layers, Rooms, is_name

MAX_BODY = 64 * 1024
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
MAX_SPATIAL, MAX_TEMPORAL = 3, 7
RETRY_AFTER_S = "10"


class Refusal(Exception):
    """A request that ends with an error status and a sentence for people."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.response = PlainTextResponse(text + "\n", status, headers)


class Doors:
    """The HTTP endpoints.

    Args:
        rooms: of the worker or pool.
        token: bearer token that every request must show; None: none.
        ice_servers: URLs of STUN and TURN servers for clients, told by Link headers (RFC 9725 section 4.6).
    """

    def __init__(self, rooms: Rooms, token: str | None, ice_servers: Sequence[str]) -> None:
        self._rooms = rooms
        self._token = token
        self._ice_servers = tuple(ice_servers)

    def routes(self) -> list[Route]:
        """For a Starlette or FastAPI application."""
        return [
            Route("/whip/{room}", self._guarded(self._whip), methods=["POST", "OPTIONS"]),
            Route("/whep/{room}", self._guarded(self._whep), methods=["POST", "OPTIONS"]),
            Route("/whep/{room}/{stream}", self._guarded(self._whep), methods=["POST", "OPTIONS"]),
            Route(
                "/sessions/{session}",
                self._guarded(self._session),
                methods=["PATCH", "PUT", "DELETE", "OPTIONS"],
            ),
        ]

    def _guarded(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                if request.method == "OPTIONS":
                    response: Response = Response(status_code=200, headers=_preflight(request))
                else:
                    self.check_token(request.headers.get("authorization", ""))
                    response = await handler(request)
            except Refusal as refusal:
                response = refusal.response
            except ClientDisconnect:
                response = Response(status_code=400)  # nobody reads it
            except FullError as error:
                response = PlainTextResponse(f"{error}\n", 503, {"Retry-After": RETRY_AFTER_S})
            except UnsupportedError as error:
                response = PlainTextResponse(f"{error}\n", 406)
            except (NegotiationError, ValueError) as error:
                response = PlainTextResponse(f"{error}\n", 400)
            except MediaRouterError as error:
                response = PlainTextResponse(f"{error}\n", 409)
            response.headers["Access-Control-Allow-Origin"] = "*"
            response.headers["Access-Control-Expose-Headers"] = "Location, ETag, Link, Accept-Patch, WWW-Authenticate"
            return response

        return guarded

    def check_token(self, authorization: str) -> None:
        """Let in who shows the token (RFC 6750).

        Raises:
            Refusal: 401 without a token, 403 with a wrong one.
        """
        if self._token is None:
            return
        scheme, _, shown = authorization.partition(" ")
        if scheme.lower() != "bearer" or not shown:
            raise Refusal(401, "a bearer token is needed", {"WWW-Authenticate": 'Bearer realm="mediarouter"'})
        if not hmac.compare_digest(shown.strip().encode(), self._token.encode()):
            raise Refusal(403, "the bearer token is not the right one")

    async def _whip(self, request: Request) -> Response:
        offer = await _body(request, SDP)
        room = await self._rooms.enter(_name(request, "room"))
        connection = await room.connect(request.query_params.get("name", "")[:64])
        try:
            answer = await connection.publish(offer)
            await room.fill_waiting()
        except BaseException:
            connection.close()
            raise
        return self._created(request, connection, answer)

    async def _whep(self, request: Request) -> Response:
        offer = await _body(request, SDP)
        layers = _layer_query(request.query_params.get("layer"))
        stream = _name(request, "stream") if "stream" in request.path_params else None
        room = await self._rooms.enter(_name(request, "room"))
        connection = await room.connect("")
        connection.layers, connection.stream = layers, stream
        try:
            answer = await connection.watch(offer)
        except BaseException:
            connection.close()
            raise
        return self._created(request, connection, answer)

    def _created(self, request: Request, connection: Connection, answer: str) -> Response:
        response = Response(answer, 201, media_type=SDP)
        response.headers["Location"] = f"{quote(request.scope.get('root_path', ''))}/sessions/{connection.id}"
        response.headers["ETag"] = connection.etag
        response.headers["Accept-Patch"] = FRAGMENT
        for url in self._ice_servers:
            response.headers.append("Link", f'<{url}>; rel="ice-server"')
        return response

    async def _session(self, request: Request) -> Response:
        connection = self._rooms.connection(request.path_params["session"])
        if connection is None:
            raise Refusal(404, "there is no such session")
        if request.method == "DELETE":
            connection.close()
            return Response(status_code=200)
        if request.method == "PUT":
            if not connection.watches:
                raise Refusal(405, "a publisher has no layers to choose", {"Allow": "PATCH, DELETE, OPTIONS"})
            return await _put_layers(request, connection)
        return await self._patch(request, connection)

    async def _patch(self, request: Request, connection: Connection) -> Response:
        fragment = read_fragment(await _body(request, FRAGMENT))
        condition = request.headers.get("if-match")
        if condition is None:
            raise Refusal(428, "PATCH needs If-Match")
        if fragment.ice_parameters is None or condition != "*":
            # trickled candidates: we are ICE-lite and learn addresses from checks
            if condition not in ("*", connection.etag):
                raise Refusal(412, "the ICE session has changed meanwhile")
            return Response(status_code=204)
        await connection.restart_ice(fragment.ice_parameters)
        return Response(write_fragment(connection.transport), 200, {"ETag": connection.etag}, media_type=FRAGMENT)


def _preflight(request: Request) -> dict[str, str]:
    # RFC 9725 section 4.2: what a page from elsewhere may send, and what an endpoint takes
    session = "session" in request.path_params
    methods = "PATCH, PUT, DELETE, OPTIONS" if session else "POST, OPTIONS"
    return {
        "Allow": methods,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
        "Access-Control-Max-Age": "86400",
        **({"Accept-Patch": FRAGMENT} if session else {"Accept-Post": SDP}),
    }


async def _body(request: Request, media_type: str) -> str:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type:
        accepts = {SDP: {"Accept-Post": SDP}, FRAGMENT: {"Accept-Patch": FRAGMENT}}.get(media_type)
        raise Refusal(415, f"the body must be {media_type}", accepts)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and (len(declared) > 9 or int(declared) > MAX_BODY):
        raise Refusal(413, f"the body is larger than {MAX_BODY} bytes")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal(413, f"the body is larger than {MAX_BODY} bytes")
    if declared.isdigit() and int(declared) != len(body):
        raise Refusal(400, "the body is shorter than it says")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal(400, "the body is not UTF-8") from None


def _name(request: Request, what: str) -> str:
    name = str(request.path_params[what])
    if not is_name(name):
        raise Refusal(400, f"a {what} has 1 to 64 letters, digits, dots, hyphens, underscores or tildes")
    return name


def _layer_query(text: str | None) -> Layers:
    if text is None:
        return (None, None)
    words = text.split(",")
    if len(words) > 2 or not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        raise Refusal(400, "layer is a number, or two with a comma: spatial, temporal")
    return _checked_layers(int(words[0]), int(words[1]) if len(words) == 2 else None)


def _checked_layers(spatial: int | None, temporal: int | None) -> Layers:
    if (spatial is not None and not 0 <= spatial <= MAX_SPATIAL) or (
        temporal is not None and not 0 <= temporal <= MAX_TEMPORAL
    ):
        raise Refusal(422, f"spatial layers are 0 to {MAX_SPATIAL}, temporal ones 0 to {MAX_TEMPORAL}")
    return (spatial, temporal)


async def _put_layers(request: Request, connection: Connection) -> Response:
    try:
        wanted = json.loads(await _body(request, "application/json"))
    except (ValueError, RecursionError) as error:  # the latter, and a plain ValueError, for depth and for length
        raise Refusal(400, f"the body is no JSON: {error}") from None
    if not isinstance(wanted, dict) or not wanted or set(wanted) - {"spatial", "temporal"}:
        raise Refusal(422, 'the body is {"spatial": number or null, "temporal": number or null}')
    for value in wanted.values():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise Refusal(422, "layers are whole numbers or null")
    await connection.set_layers(_checked_layers(wanted.get("spatial"), wanted.get("temporal")))
    return Response(status_code=204)
