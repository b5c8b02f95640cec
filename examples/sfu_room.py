"""A working SFU in one file: everybody who opens /pub/ROOM is seen by everybody who opens /sub/ROOM.

Run:  python examples/sfu_room.py        (needs mediarouter[web])
Try:  http://127.0.0.1:8090/pub/demo in one tab, http://127.0.0.1:8090/sub/demo in another
"""

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from mediarouter import MediaRouterError, Router, WebRtcTransport, Worker
from mediarouter.web.negotiation import read_offer, write_answer

PAGE = """<!doctype html><meta charset=utf-8><title>ROLE</title><body><script type=module>
const pc = new RTCPeerConnection();
const show = (track) => { const e = document.createElement(track.kind); e.autoplay = e.playsInline = true;
                          e.muted = ROLE == 'pub'; e.srcObject = new MediaStream([track]); document.body.append(e); };
if (ROLE == 'pub') {
  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 1280, height: 720}});
  for (const track of stream.getTracks()) {
    show(track);
    pc.addTransceiver(track, {direction: 'sendonly', sendEncodings: track.kind == 'audio' ? undefined :
      [{rid: 'q', scaleResolutionDownBy: 4}, {rid: 'h', scaleResolutionDownBy: 2}, {rid: 'f'}]});
  }
} else {
  pc.ontrack = (event) => show(event.track);
  for (const kind of ['audio', 'video']) pc.addTransceiver(kind, {direction: 'recvonly'});
}
await pc.setLocalDescription();
const answer = await fetch(location.href, {method: 'POST', body: pc.localDescription.sdp});
if (!answer.ok) document.body.append(await answer.text());
else await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
</script>"""


class Service:
    """Keeps the rooms; mediarouter keeps the media."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.rooms: dict[str, Router] = {}

    async def page(self, request: Request) -> Response:
        """The page of a publisher or a viewer."""
        return HTMLResponse(PAGE.replace("ROLE", repr(request.path_params["role"])))

    async def offer(self, request: Request) -> Response:
        """A browser's offer, answered."""
        name, role = request.path_params["room"], request.path_params["role"]
        if name not in self.rooms:
            self.rooms[name] = await self.worker.create_router()
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


async def publish(router: Router, transport: WebRtcTransport, text: str) -> str:
    """Take what the offer brings."""
    offer = read_offer(text, router.rtp_capabilities)
    await transport.connect(offer.dtls_parameters, offer.ice_parameters)
    producers = {}
    for section in offer.sending():
        kind = "audio" if section.kind == "audio" else "video"
        assert section.rtp_parameters is not None
        producers[section.mid] = await transport.produce(kind=kind, rtp_parameters=section.rtp_parameters)
    return write_answer(offer, transport, producers=producers)


async def watch(router: Router, transport: WebRtcTransport, text: str) -> str:
    """Give the offer's sections the newest stream of their kind."""
    offer = read_offer(text, router.rtp_capabilities)
    await transport.connect(offer.dtls_parameters, offer.ice_parameters)
    consumers = {}
    for section in offer.receiving():
        for producer in reversed(list(router.producers.values())):
            if producer.kind == section.kind and router.can_consume(producer.id, section.rtp_capabilities):
                consumers[section.mid] = await transport.consume(
                    producer.id, rtp_capabilities=section.rtp_capabilities, mid=section.mid
                )
                break
    return write_answer(offer, transport, consumers=consumers)


async def main() -> None:
    """Serve until interrupted."""
    async with await Worker.create(listen="127.0.0.1:0") as worker:
        service = Service(worker)
        routes = [
            Route("/{role:str}/{room:str}", service.page, methods=["GET"]),
            Route("/{role:str}/{room:str}", service.offer, methods=["POST"]),
        ]
        await uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=8090, log_level="warning")).serve()


if __name__ == "__main__":
    uvloop.run(main())
