"""The SFU of sfu_room.py on as many cores as there are: a room begins on the least loaded and outgrows it if it must.

Run:  python examples/many_cores.py        (needs mediarouter[web])
Try:  http://127.0.0.1:8090/pub/demo in one tab, http://127.0.0.1:8090/sub/demo in another; http://127.0.0.1:8090/load
"""

from dataclasses import asdict

import uvicorn
import uvloop
from sfu_room import PAGE, publish, watch
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mediarouter import MediaRouterError, SpanningRouter, WorkerPool


class Service:
    """Keeps the rooms; the pool decides where their media is routed."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.rooms: dict[str, SpanningRouter] = {}

    async def page(self, request: Request) -> Response:
        """The page of a publisher or a viewer."""
        return HTMLResponse(PAGE.replace("ROLE", repr(request.path_params["role"])))

    async def offer(self, request: Request) -> Response:
        """A browser's offer, answered; who watches need not be on the worker of who publishes."""
        name, role = request.path_params["room"], request.path_params["role"]
        if name not in self.rooms:
            self.rooms[name] = await self.pool.create_spanning_router()
        router = self.rooms[name]
        transport = await router.create_webrtc_transport()
        transport.on("dtls_state_change", lambda state: state in ("closed", "failed") and transport.close())
        transport.on("ice_state_change", lambda state: state == "disconnected" and transport.close())
        try:
            text = (await request.body()).decode("utf-8", "replace")
            answer = await (publish if role == "pub" else watch)(router, transport, text)
        except MediaRouterError as error:
            transport.close()
            return PlainTextResponse(str(error), 400)
        return Response(answer, 201, media_type="application/sdp")

    async def load(self, request: Request) -> Response:
        """What each worker has to do."""
        return JSONResponse([asdict(load) for load in self.pool.stats()])

    async def drain(self, request: Request) -> Response:
        """Place nothing new on a worker; whose clients a service would now ask to connect anew."""
        transports = self.pool.drain(self.pool.workers[request.path_params["worker"]])
        return JSONResponse({"still_there": [transport.id for transport in transports]})

    def routes(self) -> list[Route]:
        """For an application."""
        return [
            Route("/load", self.load, methods=["GET"]),
            Route("/drain/{worker:int}", self.drain, methods=["POST"]),
            Route("/{role:str}/{room:str}", self.page, methods=["GET"]),
            Route("/{role:str}/{room:str}", self.offer, methods=["POST"]),
        ]


async def main() -> None:
    """Serve until interrupted."""
    async with await WorkerPool.create(listen="127.0.0.1:0") as pool:
        app = Starlette(routes=Service(pool).routes())
        await uvicorn.Server(uvicorn.Config(app, port=8090, log_level="warning")).serve()


if __name__ == "__main__":
    uvloop.run(main())
