"""The floor in a process of its own: a plan comes as a JSON line, then "start" and "stop", answered by figures."""

import json
import os
import socket
import sys
import threading
import time

from mediarouter.bench._floor import Floor
from mediarouter.srtp import Profile

SEND_BUFFER = 4 << 20


def main() -> None:
    """Send until standard input ends."""
    plan = json.loads(sys.stdin.readline())
    names = [bytes.fromhex(name) for name in plan.pop("names")]
    profile = Profile(plan["profile"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        floor = Floor(sock.fileno(), **plan)
        for name in names:
            floor.add(os.urandom(profile.key_size + profile.salt_size), name)
        thread: threading.Thread | None = None
        print("{}", flush=True)
        while line := sys.stdin.readline():
            if thread is not None:
                floor.stop()
                thread.join()
                thread = None
            print(json.dumps({"cpu_ns": time.process_time_ns(), **floor.figures()}), flush=True)
            if line == "start\n":
                thread = threading.Thread(target=floor.run, daemon=True)
                thread.start()


if __name__ == "__main__":
    main()
