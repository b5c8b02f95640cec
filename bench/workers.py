"""What a second worker takes off the first, and what that costs: `python bench/workers.py [--subscribers 100]`.

One router and one that spans two workers carry the same meeting in turn, round by round, with the clients of
`mediarouter bench fanout`. The figures are the engine threads' own processor time, so that a busy machine changes them
little; with as many free cores as workers, the busiest thread is what bounds the size of a meeting.
"""

import argparse
import asyncio
import json
import statistics
from typing import Any

from mediarouter import WorkerPool
from mediarouter.bench._sink import Sink
from mediarouter.bench._source import Source
from mediarouter.bench.clients import Client, Joined
from mediarouter.bench.fanout import (
    MID_ID,
    SEND_TIME_ID,
    SETTLE_S,
    TRANSPORT_CC_ID,
    VIDEO_PAYLOAD_TYPE,
    Load,
    capabilities,
    rtp_parameters,
    running,
)
from mediarouter.transports.dtls import DtlsCertificate


class Meeting:
    """A pool, a router that spans it, and clients on all its members."""

    def __init__(self, pool: WorkerPool, load: Load) -> None:
        self.pool = pool
        self.load = load
        self.certificate = DtlsCertificate.generate()
        self.certificate.context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_128_GCM")
        self.source = Source(
            vp8=True,
            payload_type=VIDEO_PAYLOAD_TYPE,
            payload_size=load.payload_size,
            packets_per_frame=load.packets_per_frame,
            frames_per_second=load.frames_per_second,
            gap_us=load.gap_us,
            clock_rate=90000,
            extensions=(MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID),
        )
        self.sink = Sink(vp8=True, transport_cc_id=TRANSPORT_CC_ID)
        self.joined: list[Joined] = []

    async def fill(self) -> "Meeting":
        """Publishers and subscribers, each on the member that has the fewest."""
        router = await self.pool.create_spanning_router(members=len(self.pool.workers))
        producers = []
        for index in range(self.load.publishers):
            transport, client = await self._join(router, index)
            producers.append(await transport.produce(kind="video", rtp_parameters=rtp_parameters(self.load, index)))
            ways = (client.socket.fileno(), client.profile, client.local_key, client.remote_key, client.check)
            self.source.add(*ways, 1000 + index)
        for index in range(self.load.subscribers):
            transport, client = await self._join(router, self.load.publishers + index)
            ways = (client.socket.fileno(), client.profile, client.local_key, client.remote_key, client.check)
            self.sink.add(*ways)
            for producer in producers:
                await transport.consume(producer.id, rtp_capabilities=capabilities())
        return self

    async def _join(self, router: Any, index: int) -> tuple[Any, Joined]:
        client = Client(self.certificate)
        transport = await router.routers[index % len(router.routers)].create_webrtc_transport()
        await transport.connect(client.dtls_parameters, client.ice_parameters)
        ways = (transport.ice_parameters, transport.ice_candidates, transport.dtls_parameters)
        self.joined.append(await asyncio.to_thread(client.join, *ways))
        return transport, self.joined[-1]

    async def measure(self) -> dict[str, Any]:
        """One round of traffic."""
        with running(self.source, self.sink):
            await asyncio.sleep(SETTLE_S)
            self.sink.reset()
            self.source.reset()
            before = [worker.cpu_ns() for worker in self.pool.workers]
            counted = self.pool.counters()
            await asyncio.sleep(self.load.seconds)
            used_ns = [worker.cpu_ns() - ns for worker, ns in zip(self.pool.workers, before, strict=True)]
            after = self.pool.counters()
            received = self.sink.figures()
        return {
            "packets": after["rtp_packets_forwarded"] - counted["rtp_packets_forwarded"],
            "piped": after["rtp_packets_piped"] - counted["rtp_packets_piped"],
            "pipe_full": after["dropped_pipe_full"],
            "busy": [round(ns / 1e9 / self.load.seconds, 3) for ns in used_ns],
            "ns_per_packet": sum(used_ns) / max(1, after["rtp_packets_forwarded"] - counted["rtp_packets_forwarded"]),
            "lost": received["lost"],
            "damaged": received["damaged"],
            "latency_us": received["latency_us"],
        }


async def compare(load: Load, rounds: int) -> dict[str, Any]:
    """One worker and two, in turn."""
    async with await WorkerPool.create(workers=1) as one, await WorkerPool.create(workers=2) as two:
        meetings = [await Meeting(pool, load).fill() for pool in (one, two)]
        results: list[list[dict[str, Any]]] = [[], []]
        for _ in range(rounds):
            for meeting, measured in zip(meetings, results, strict=True):
                measured.append(await meeting.measure())
        for meeting in meetings:
            for client in meeting.joined:
                client.socket.close()
    pairs = list(zip(*results, strict=True))
    return {
        "busiest_of_one": statistics.median(max(r["busy"]) for r, _ in pairs),
        "busiest_of_two": statistics.median(max(r["busy"]) for _, r in pairs),
        "busiest_ratio": round(statistics.median(max(b["busy"]) / max(a["busy"]) for a, b in pairs), 3),
        "total_ratio": round(statistics.median(b["ns_per_packet"] / a["ns_per_packet"] for a, b in pairs), 3),
        "one": results[0][-1],
        "two": results[1][-1],
    }


def main() -> None:
    """From the command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--publishers", type=int, default=2)
    options.add_argument("--subscribers", type=int, default=100)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=4.0)
    given = options.parse_args()
    load = Load(publishers=given.publishers, subscribers=given.subscribers, seconds=given.seconds)
    print(json.dumps(asyncio.run(compare(load, given.rounds)), indent=2))


if __name__ == "__main__":
    main()
