"""A router in a process of its own, to be measured from outside: JSON lines in, JSON lines out.

    {"do": "open", "dtls": {}, "ice": {}}                     -> {"ice": {}, "candidates": [], "dtls": {}}
    {"do": "produce", "transport": i, "kind": "", "rtp": {}}  -> {"producer": k}
    {"do": "consume", "transport": i, "producer": k, "capabilities": {}}
    {"do": "tune", "gather_us": n, "rest_us": n}
    {"do": "figures"}                                         -> {"counters": {}, "cpu_ns": n, ...}
"""

import asyncio
import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from mediarouter.net.worker import Worker
from mediarouter.parameters import DtlsParameters, IceParameters, RtpCapabilities, RtpParameters

LINE_MAX = 1 << 20


class Served:
    """The orders, by name."""

    def __init__(self, worker: Worker, router: Any) -> None:
        self.worker = worker
        self.router = router
        self.transports: list[Any] = []
        self.producers: list[Any] = []

    async def open(self, order: dict[str, Any]) -> dict[str, Any]:
        """A transport for one client."""
        transport = await self.router.create_webrtc_transport()
        self.transports.append(transport)
        await transport.connect(
            msgspec.convert(order["dtls"], DtlsParameters), msgspec.convert(order["ice"], IceParameters)
        )
        return {
            "transport": len(self.transports) - 1,
            "ice": msgspec.to_builtins(transport.ice_parameters),
            "candidates": msgspec.to_builtins(transport.ice_candidates),
            "dtls": msgspec.to_builtins(transport.dtls_parameters),
        }

    async def produce(self, order: dict[str, Any]) -> dict[str, Any]:
        """A producer on a transport."""
        parameters = msgspec.convert(order["rtp"], RtpParameters)
        producer = await self.transports[order["transport"]].produce(kind=order["kind"], rtp_parameters=parameters)
        self.producers.append(producer)
        return {"producer": len(self.producers) - 1}

    async def consume(self, order: dict[str, Any]) -> dict[str, Any]:
        """A consumer on a transport."""
        await self.transports[order["transport"]].consume(
            self.producers[order["producer"]].id,
            rtp_capabilities=msgspec.convert(order["capabilities"], RtpCapabilities),
        )
        return {}

    async def tune(self, order: dict[str, Any]) -> dict[str, Any]:
        """Set what trades waiting for processor time."""
        if "gather_us" in order:
            self.worker.engine.set_gather(order["gather_us"])
        if "rest_us" in order:
            self.worker.engine.set_rest(order["rest_us"])
        return {}

    async def figures(self, order: dict[str, Any]) -> dict[str, Any]:
        """Counters, and what this process has used."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "counters": self.worker.counters(),
            "cpu_ns": time.process_time_ns(),
            "user_s": used.ru_utime,
            "system_s": used.ru_stime,
            "slowest_batch_us": self.worker.engine.take_slowest_batch_us(),
            "rss_bytes": int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize(),
            "threads": threading.active_count(),
        }


async def main() -> None:
    """Serve one router until standard input ends."""
    reader = asyncio.StreamReader(limit=LINE_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with await Worker.create(**json.loads(await reader.readline())) as worker:
        served = Served(worker, await worker.create_router())
        print(json.dumps({"port": worker.port}), flush=True)
        while line := await reader.readline():
            order = json.loads(line)
            print(json.dumps(await getattr(served, order["do"])(order)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
