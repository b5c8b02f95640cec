"""A link whose capacity is set while it is in use: from this network namespace into one of its own.

    this namespace (10.99.0.1)  ── veth, tbf: capacity and a queue ──►  the viewer's (10.99.0.2)
                                ◄── TUN, a fixed delay ──

The way back has the delay of both ways: whoever measures the round trip sees no difference, and only feedback takes the
slow road through a process. Run it as root in a namespace that dies with the process (`unshare --net`): then nothing is
left behind, however the process ends.
"""

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

NEAR, FAR = "10.99.0.1", "10.99.0.2"
BURST_BYTES = 2000  # less than two packets: what comes as one from a GSO send is cut
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
RTM_GETQDISC = 38
NLM_F_REQUEST_DUMP = 0x301
NLMSG_DONE = 3
TCA_KIND, TCA_STATS2 = 1, 7
STATS_BASIC, STATS_QUEUE = 1, 3
TOOLS = ("ip", "tc", "unshare", "nsenter")


def why_not() -> str:
    """What is missing for namespaces with shaped links; empty: nothing."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not found (iproute2, util-linux)"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    tried = subprocess.run(
        ["unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "tbf"]
        + ["rate", "1mbit", "burst", "5kb", "latency", "100ms"],
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.stderr.strip() if tried.returncode else ""


@dataclass
class Queued:
    """What `tbf` tells: sent so far with Ethernet headers, waiting now, dropped so far."""

    sent_bytes: int
    backlog_bytes: int
    dropped: int


class ShapedLink:
    """The link, and the other namespace.

    Args:
        rate_bps: capacity towards the other namespace; bit/s with Ethernet headers.
        queue_ms: how long a packet may wait, at the rate of the moment.
        delay_ms: round trip with an empty queue.
    """

    def __init__(self, *, rate_bps: int, queue_ms: int = 250, delay_ms: int = 50) -> None:
        self.rate_bps = rate_bps
        self.queue_ms = queue_ms
        self._far = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self._wait_for_namespace()
        self.enter = ["nsenter", "--target", str(self._far.pid), "--net"]
        self._connect()
        self._tc("add")
        ends = _open_tun(f"/proc/{self._far.pid}/ns/net"), _open_tun("/proc/self/ns/net")
        self._route()
        self._delay_line = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("delay_line.py")), *map(str, ends), str(delay_ms)],
            pass_fds=ends,
        )
        for end in ends:
            os.close(end)
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._netlink.bind((0, 0))
        self._index = socket.if_nametoindex("near")

    def set_rate(self, rate_bps: int) -> None:
        """From now on, for what waits, too."""
        self.rate_bps = rate_bps
        self._tc("change")

    def look(self) -> Queued:
        """The queue of this moment."""
        request = struct.pack("=IHHII", 36, RTM_GETQDISC, NLM_F_REQUEST_DUMP, 1, 0)
        self._netlink.send(request + struct.pack("=BxxxiIII", 0, self._index, 0, 0, 0))
        found = None
        while True:
            data = self._netlink.recv(65536)
            while data:
                size, kind = struct.unpack_from("=IH", data)
                if kind == NLMSG_DONE:
                    assert found is not None, "the queue is gone"
                    return found
                index = struct.unpack_from("=i", data, 20)[0]
                attributes = _attributes(data[36:size])
                if index == self._index and attributes.get(TCA_KIND) == b"tbf\0":
                    found = _queued(_attributes(attributes[TCA_STATS2]))
                data = data[-(-size // 4) * 4 :]

    def close(self) -> None:
        """Take it down; the other namespace goes with its last process."""
        self._netlink.close()
        self._delay_line.terminate()
        self._delay_line.wait()
        assert self._far.stdin
        self._far.stdin.close()
        self._far.wait()

    def _wait_for_namespace(self) -> None:
        ours, theirs = os.readlink("/proc/self/ns/net"), f"/proc/{self._far.pid}/ns/net"
        deadline = time.monotonic() + 5
        while os.readlink(theirs) == ours:
            assert time.monotonic() < deadline, "no network namespace was made"
            time.sleep(0.005)

    def _connect(self) -> None:
        far = str(self._far.pid)
        _run("ip link set lo up")
        _run("ip link add near address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:02 netns", far)
        _run(f"ip addr add {NEAR}/32 dev near")
        _run("ip link set near up")
        self._inside("ip link set lo up")
        self._inside(f"ip addr add {FAR}/32 dev far")
        self._inside("ip link set far up")

    def _route(self) -> None:
        _run("ip link set back up")
        _run(f"ip route add {FAR} dev near src {NEAR}")
        _run(f"ip neigh replace {FAR} lladdr 02:00:00:00:00:02 dev near")
        self._inside("ip link set back up")
        self._inside(f"ip route add default dev back src {FAR}")
        # what goes by one way and comes by another is what this is about
        for name in ("all", "default", "near", "back"):
            Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").write_text("0")
        self._inside("sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.far.rp_filter=0")

    def _inside(self, command: str) -> None:
        _run(" ".join(self.enter), command)

    def _tc(self, what: str) -> None:
        limit = self.rate_bps * self.queue_ms // 8000 + BURST_BYTES
        _run(f"tc qdisc {what} dev near root tbf rate {self.rate_bps}bit burst {BURST_BYTES} limit {limit}")


def _run(*words: str) -> None:
    subprocess.run(" ".join(words).split(), check=True, capture_output=True, text=True)


def _open_tun(namespace: str) -> int:
    # a device belongs to the namespace of the thread that makes it
    made: list[int | OSError] = []

    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        place = os.open(namespace, os.O_RDONLY)
        if libc.setns(place, 0):
            made.append(OSError(ctypes.get_errno(), "setns"))
            return
        tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH14x", b"back", IFF_TUN_NO_PI))
        os.close(place)
        made.append(tun)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:size]
        data = data[-(-size // 4) * 4 :]
    return found


def _queued(stats: dict[int, bytes]) -> Queued:
    sent = struct.unpack_from("=Q", stats[STATS_BASIC])[0]
    _, backlog, dropped = struct.unpack_from("=III", stats[STATS_QUEUE])
    return Queued(sent, backlog, dropped)
