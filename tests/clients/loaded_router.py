"""A router in a process that treats it badly: its loop is blocked half of the time, a thread spins, the collector runs.

It talks JSON lines: one for each transport on standard input, answers on standard output.
"""

import asyncio
import gc
import json
import sys
import threading
import time
from typing import Any

import msgspec

from mediarouter import DtlsParameters, IceParameters, RtpCapabilities, RtpParameters, Worker


def spin(stop: threading.Event) -> None:
    """Hold the GIL as much as Python lets one."""
    number = 0
    while not stop.is_set():
        number += 1


def collect(stop: threading.Event) -> None:
    """A collection over a million objects every second."""
    hoard = [[i] for i in range(1_000_000)]
    while not stop.is_set():
        gc.collect()
        stop.wait(1)
    assert hoard


async def main() -> None:
    """Serve one router until standard input ends."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    stop = threading.Event()
    async with await Worker.create() as worker:
        router = await worker.create_router()
        transports: list[Any] = []
        producer = None
        while line := await reader.readline():
            order = json.loads(line)
            answer: dict[str, Any] = {}
            if order["do"] == "open":
                transport = await router.create_webrtc_transport()
                transports.append(transport)
                await transport.connect(
                    msgspec.convert(order["dtls"], DtlsParameters), msgspec.convert(order["ice"], IceParameters)
                )
                answer = {
                    "ice": msgspec.to_builtins(transport.ice_parameters),
                    "candidates": msgspec.to_builtins(transport.ice_candidates),
                    "dtls": msgspec.to_builtins(transport.dtls_parameters),
                }
            elif order["do"] == "produce":
                producer = await transports[0].produce(
                    kind="video", rtp_parameters=msgspec.convert(order["rtp"], RtpParameters)
                )
            elif order["do"] == "consume":
                for transport in transports[1:]:
                    await transport.consume(
                        producer.id, rtp_capabilities=msgspec.convert(order["capabilities"], RtpCapabilities)
                    )
            elif order["do"] == "suffer":
                for torment in (spin, collect):
                    threading.Thread(target=torment, args=(stop,), daemon=True).start()

                def block() -> None:
                    time.sleep(0.5)
                    loop.call_later(0.5, block)

                loop.call_soon(block)
            elif order["do"] == "report":
                answer = {
                    "counters": worker.counters(),
                    "slowest_batch_us": worker.engine.take_slowest_batch_us(),
                    "longest_gathered_us": worker.engine.take_longest_gathered_us(),
                }
            print(json.dumps(answer), flush=True)
        stop.set()


if __name__ == "__main__":
    asyncio.run(main())
