"""The floor under the same load as a router, and the sockets that drain it."""

import socket
import struct
import time
from contextlib import closing
from typing import Any

from mediarouter.bench._sink import Sink
from mediarouter.bench.child import Child
from mediarouter.bench.display import Tell, silent
from mediarouter.bench.load import EXTENSION_BYTES, Load
from mediarouter.bench.meeting import SETTLE_S
from mediarouter.bench.running import running
from mediarouter.srtp import Profile

RECEIVE_BUFFER = 4 << 20
HEADER_BYTES = 12


class FloorProcess:
    """A process that does what must be done to forward such a load, and nothing else: `_floor` tells it.

    Args:
        one_by_one: a system call for each packet.
    """

    def __init__(self, load: Load, profile: Profile, *, one_by_one: bool = False) -> None:
        self.load = load
        self.sockets: list[socket.socket] = []
        self.sink = Sink(vp8=False, transport_cc_id=0, encrypted=False)
        names = [self._open_receiver() for _ in range(load.subscribers)]
        self._child = Child(
            "mediarouter.bench.floor_process",
            names=[name.hex() for name in names],
            profile=int(profile),
            packet_size=HEADER_BYTES + EXTENSION_BYTES + load.payload_size,
            packets_per_frame=load.packets_per_frame,
            frames_per_second=load.frames_per_second,
            publishers=load.publishers,
            one_by_one=one_by_one,
        )

    def _open_receiver(self) -> bytes:
        # its struct sockaddr_in
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sockets.append(receiver)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        self.sink.add(receiver.fileno(), 0, b"", b"", b"")
        port = receiver.getsockname()[1]
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, b"\x7f\0\0\1")

    def measure(self, seconds: float) -> float:
        """One round; nanoseconds of processor time a packet."""
        with running(self.sink):
            before = self._child.order(do="start")
            time.sleep(SETTLE_S + seconds)
            after = self._child.order(do="stop")
        spent_ns, sent = (int(after[name] - before[name]) for name in ("cpu_ns", "sent"))
        return spent_ns / max(1, sent)

    def close(self) -> None:
        """End all."""
        self._child.close()
        for receiver in self.sockets:
            receiver.close()


def floor_alone(load: Load, profile: Profile, *, one_by_one: bool = False, tell: Tell = silent) -> dict[str, Any]:
    """`mediarouter bench floor`: without any router."""
    tell(f"{load.publishers} to {load.subscribers}", 0.0)
    with closing(FloorProcess(load, profile, one_by_one=one_by_one)) as floor:
        cost_ns = floor.measure(load.seconds)
        received = floor.sink.figures()["packets"]
    return {
        "floor_ns_per_packet": round(cost_ns, 1),
        "kind": load.kind,
        "publishers": load.publishers,
        "subscribers": load.subscribers,
        "packets": received,
        "burst": 1 if one_by_one else load.packets_per_frame,
        "profile": profile.name,
    }
