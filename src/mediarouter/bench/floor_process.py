"""The floor in a process of its own, by JSON lines: a plan comes first, then {"do": "start"} and {"do": "stop"}, each
answered by figures."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from mediarouter.bench._floor import Floor
from mediarouter.bench.child import answer, orders
from mediarouter.srtp import Profile

SEND_BUFFER = 4 << 20


def main() -> None:
    """Send until standard input ends."""
    coming = orders()
    for plan in coming:
        names = [bytes.fromhex(name) for name in plan.pop("names")]
        profile = Profile(plan["profile"])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            floor = Floor(sock.fileno(), **plan)
            for name in names:
                floor.add(os.urandom(profile.key_size + profile.salt_size), name)
            answer()
            serve(floor, coming)


def serve(floor: Floor, coming: Iterator[dict[str, Any]]) -> None:
    """Start and stop it as ordered."""
    thread: threading.Thread | None = None
    for order in coming:
        if thread is not None:
            floor.stop()
            thread.join()
            thread = None
        answer(cpu_ns=time.process_time_ns(), **floor.figures())
        if order["do"] == "start":
            thread = threading.Thread(target=floor.run, daemon=True)
            thread.start()


if __name__ == "__main__":
    main()
