"""A served worker, and browser pages that publish by WHIP and watch by WHEP."""

import asyncio
import contextlib
import json
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from playwright.async_api import BrowserContext, Page

from mediarouter import Worker
from mediarouter.web import create_app

SCRIPT = """
const SIMULCAST = [{rid:'q',scaleResolutionDownBy:4,maxBitrate:150000,scalabilityMode:'L1T3'},
                   {rid:'h',scaleResolutionDownBy:2,maxBitrate:500000,scalabilityMode:'L1T3'},
                   {rid:'f',scaleResolutionDownBy:1,maxBitrate:1500000,scalabilityMode:'L1T3'}];
async function exchange(url, pc, edit) {
  await pc.setLocalDescription(await pc.createOffer());
  await new Promise(done => { pc.onicegatheringstatechange = () => pc.iceGatheringState == 'complete' && done();
                              pc.iceGatheringState == 'complete' && done(); setTimeout(done, 2000); });
  const headers = {'Content-Type':'application/sdp'};
  const answer = await fetch(url, {method:'POST', headers, body: pc.localDescription.sdp});
  if (answer.status != 201) throw new Error(answer.status + ' ' + await answer.text());
  window.resource = answer.headers.get('Location');
  let sdp = await answer.text();
  const relay = /^via (\\d+)$/.exec(edit ?? '');
  if (relay) sdp = sdp.split('\\r\\n').filter(l => !/^a=candidate:.* tcp /.test(l)).map(
    l => l.replace(/^(a=candidate:.* udp \\d+ \\S+) \\d+/, `$1 ${relay[1]}`)).join('\\r\\n');
  if (edit == 'tcp only') sdp = sdp.split('\\r\\n').filter(l => !/^a=candidate:.* udp /.test(l)).join('\\r\\n');
  await pc.setRemoteDescription({type:'answer', sdp});
}
async function publish(url, codec, simulcast, edit) {
  const stream = await navigator.mediaDevices.getUserMedia({audio:true, video:{width:1280,height:720,frameRate:30}});
  const pc = window.pc = new RTCPeerConnection({bundlePolicy:'max-bundle'});
  pc.addTransceiver(stream.getAudioTracks()[0], {direction:'sendonly', streams:[stream]});
  const t = pc.addTransceiver(stream.getVideoTracks()[0], {direction:'sendonly', streams:[stream],
    sendEncodings: simulcast ? SIMULCAST : [{maxBitrate:1500000}]});
  const all = RTCRtpSender.getCapabilities('video').codecs;
  t.setCodecPreferences(all.filter(c => c.mimeType.toLowerCase() == codec).concat(
                        all.filter(c => /rtx/.test(c.mimeType))));
  await exchange(url, pc, edit);
}
async function watch(url, edit, videos) {
  const pc = window.pc = new RTCPeerConnection({bundlePolicy:'max-bundle'});
  pc.ontrack = e => { const el = document.createElement(e.track.kind); el.autoplay = true;
                      el.srcObject = new MediaStream([e.track]); document.body.append(el); };
  pc.addTransceiver('audio', {direction:'recvonly'});
  for (let i = 0; i < (videos ?? 1); i++) pc.addTransceiver('video', {direction:'recvonly'});
  await exchange(url, pc, edit);
}
async function stats(type) {
  const found = [];
  (await window.pc.getStats()).forEach(s => { if (s.type == type) found.push(Object.assign({}, s)); });
  return found;
}
"""


@dataclass
class Served:
    """A worker behind its web door."""

    worker: Worker
    url: str

    def describe(self) -> str:
        """All figures that are not zero, for somebody who looks for what went wrong."""
        lines = [str({name: count for name, count in self.worker.counters().items() if count})]
        for router in self.worker.routers.values():
            for transport in router.transports.values():
                lines.append(f"transport {transport.ice_state} {transport.dtls_state} {transport.stats()}")
                lines += [f"  producer {p.kind} {p.stats()}" for p in transport.producers.values()]
                lines += [f"  consumer {c.kind} {c.stats()}" for c in transport.consumers.values()]
        return "\n".join(lines)

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """A JSON request; status and text."""

        def call() -> tuple[int, str]:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()

        return await asyncio.to_thread(call)


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Served]:
    """A worker and its application on loopback."""
    async with await Worker.create() as worker:
        config = uvicorn.Config(create_app(worker, **options), host="127.0.0.1", port=0, log_level="warning")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        try:
            yield Served(worker, f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}")
        finally:
            server.should_exit = True
            await running


async def new_page(context: BrowserContext, served: Served) -> Page:
    """A page with the functions above."""
    page = await context.new_page()
    await page.goto(f"{served.url}/")
    await page.evaluate(f"() => {{ const s = {json.dumps(SCRIPT)}; window.eval.call(window, s); }}")
    return page


async def publish(
    context: BrowserContext,
    served: Served,
    room: str,
    codec: str = "video/vp8",
    simulcast: bool = True,
    edit: str = "",
) -> Page:
    """A page that publishes its fake camera and microphone.

    Args:
        edit: of the answer's candidates: "tcp only", or "via PORT" for a relay on this host.
    """
    page = await new_page(context, served)
    await page.evaluate("([u, c, s, e]) => publish(u, c, s, e)", [f"/whip/{room}", codec, simulcast, edit])
    return page


async def watch(
    context: BrowserContext, served: Served, room: str, edit: str = "", query: str = "", videos: int = 1
) -> Page:
    """A page that watches a room; `edit` as for `publish`."""
    page = await new_page(context, served)
    await page.evaluate("([u, e, v]) => watch(u, e, v)", [f"/whep/{room}{query}", edit, videos])
    return page


async def inbound(page: Page) -> dict[str, dict[str, Any]]:
    """The page's inbound streams by kind."""
    return {s["kind"]: s for s in await page.evaluate("stats('inbound-rtp')")}


async def until(check: Any, *, seconds: float = 10.0, what: str = "", served: Served | None = None) -> Any:
    """Wait until an async check gives something true.

    Args:
        served: whose figures are told when it does not.

    Raises:
        AssertionError: it did not in time.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        value = await check()
        if value:
            return value
        assert loop.time() < end, f"not within {seconds} s: {what}\n{served.describe() if served else ''}"
        await asyncio.sleep(0.1)
