"""A router in a process of its own, to be measured from outside: JSON lines in, JSON lines out.

    {"do": "open", "dtls": {}, "ice": {}}                     -> {"ice": {}, "candidates": [], "dtls": {}}
    {"do": "produce", "transport": i, "kind": "", "rtp": {}}  -> {"producer": k}
    {"do": "consume", "transport": i, "producers": [k], "capabilities": {}}   -> {"consumers": [n]}
    {"do": "pause", "consumers": [n], "paused": true}                         -> {}
    {"do": "tune", "gather_us": n, "rest_us": n}
    {"do": "figures"}                                         -> {"counters": {}, "cpu_ns": n, ...}
    {"do": "memory"}                                          -> {"anonymous": bytes}
    {"do": "leave", "transports": [i]}                        -> {}
    {"do": "sample"}                                          -> {"rss_bytes": n, "objects": n, "rows": {}, ...}
"""

import asyncio
import ctypes
import gc
import itertools
import json
import os
import resource
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from mediarouter.bench.child import answer
from mediarouter.net.worker import Worker
from mediarouter.parameters import DtlsParameters, IceParameters, RtpCapabilities, RtpParameters

LINE_MAX = 1 << 20


class Served:
    """The orders, by name."""

    def __init__(self, worker: Worker, router: Any) -> None:
        self.worker = worker
        self.router = router
        self.transports: dict[int, Any] = {}
        self.producers: dict[int, Any] = {}
        self.consumers: dict[int, Any] = {}
        self._numbers = itertools.count()

    async def open(self, order: dict[str, Any]) -> dict[str, Any]:
        """A transport for one client."""
        # everything is sent whatever the estimate says: what is measured is the cost of sending
        transport = await self.router.create_webrtc_transport(bandwidth=None)
        number = self._keep(self.transports, transport)
        await transport.connect(
            msgspec.convert(order["dtls"], DtlsParameters), msgspec.convert(order["ice"], IceParameters)
        )
        return {
            "transport": number,
            "ice": msgspec.to_builtins(transport.ice_parameters),
            "candidates": msgspec.to_builtins(transport.ice_candidates),
            "dtls": msgspec.to_builtins(transport.dtls_parameters),
        }

    async def produce(self, order: dict[str, Any]) -> dict[str, Any]:
        """A producer on a transport."""
        parameters = msgspec.convert(order["rtp"], RtpParameters)
        producer = await self.transports[order["transport"]].produce(kind=order["kind"], rtp_parameters=parameters)
        return {"producer": self._keep(self.producers, producer)}

    async def consume(self, order: dict[str, Any]) -> dict[str, Any]:
        """Consumers on a transport."""
        transport = self.transports[order["transport"]]
        wanted = msgspec.convert(order["capabilities"], RtpCapabilities)
        consumers = [
            await transport.consume(self.producers[number].id, rtp_capabilities=wanted) for number in order["producers"]
        ]
        return {"consumers": [self._keep(self.consumers, consumer) for consumer in consumers]}

    async def pause(self, order: dict[str, Any]) -> dict[str, Any]:
        """Consumers fall silent, or go on."""
        for number in order["consumers"]:
            consumer = self.consumers[number]
            await (consumer.pause() if order["paused"] else consumer.resume())
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
            "engine_cpu_ns": self._engine_cpu_ns(),
            "user_s": used.ru_utime,
            "system_s": used.ru_stime,
            "slowest_batch_us": self.worker.engine.take_slowest_batch_us(),
            "rss_bytes": rss_bytes(),
            "threads": threading.active_count(),
        }

    async def memory(self, order: dict[str, Any]) -> dict[str, Any]:
        """Anonymous resident pages, after what is garbage has gone, and what was freed is given back."""
        gc.collect()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)  # glibc keeps it else for what comes next, which then seems to cost nothing
        for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
            if line.startswith("Anonymous:"):
                return {"anonymous": int(line.split()[1]) << 10}
        raise RuntimeError("no /proc/self/smaps_rollup (Linux 4.14)")

    async def leave(self, order: dict[str, Any]) -> dict[str, Any]:
        """Transports close, with all on them."""
        for number in order["transports"]:
            self.transports.pop(number).close()
        for rows in (self.producers, self.consumers):
            for number in [number for number, row in rows.items() if row.closed]:
                del rows[number]
        return {}

    async def sample(self, order: dict[str, Any]) -> dict[str, Any]:
        """What could grow without end: memory, what the garbage collector knows, descriptors, threads, rows."""
        gc.collect()
        return {
            "rss_bytes": rss_bytes(),
            "objects": len(gc.get_objects()),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
            "rows": self.worker.engine.rows(),
        }

    def _keep(self, rows: dict[int, Any], row: Any) -> int:
        number = next(self._numbers)
        rows[number] = row
        return number

    def _engine_cpu_ns(self) -> int:
        engine = next(thread for thread in threading.enumerate() if thread.name == "mediarouter-engine")
        assert engine.ident is not None
        return time.clock_gettime_ns(time.pthread_getcpuclockid(engine.ident))


def rss_bytes() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def main() -> None:
    """Serve one router until standard input ends."""
    reader = asyncio.StreamReader(limit=LINE_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for options in orders(reader):
        async with await Worker.create(**options) as worker:
            served = Served(worker, await worker.create_router())
            answer(port=worker.port)
            async for order in orders(reader):
                answer(**await getattr(served, order["do"])(order))


async def orders(reader: asyncio.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """What comes until the stream ends; half a line is none."""
    while (line := await reader.readline()).endswith(b"\n"):
        yield json.loads(line)


if __name__ == "__main__":
    uvloop.run(main())
