"""A network namespace for the comparison: loopback, one more address, nobody else.

Routers that are full ICE agents gather the addresses of all interfaces, and Janus none of loopback. In a namespace of
its own everybody finds one and the same address, whatever the machine has, and no port or datagram gets out.
"""

import shutil
import subprocess
from collections.abc import Sequence

ADDRESS = "198.18.0.1"  # of the range for benchmarks (RFC 2544)
# where the kernel has no dummy, one end of a cable whose other end leads nowhere
_ARRANGE = f"""
ip link set lo up || exit
ip link add bench0 type dummy 2>/dev/null || {{ ip link add bench0 type veth peer name bench1 &&
ip link set bench1 up; }} || exit
ip address add {ADDRESS}/32 dev bench0 && ip link set bench0 up && exec "$@"
"""


def within(command: Sequence[str]) -> list[str]:
    """The command that runs this one in a namespace of its own, where it may do as root does."""
    return ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", _ARRANGE, "sh", *command]


def why_not() -> str:
    """Why no namespace can be made here; "" when one can."""
    for tool in ("unshare", "ip"):
        if shutil.which(tool) is None:
            return f"there is no {tool}"
    tried = subprocess.run(within(["true"]), capture_output=True, text=True, timeout=30)
    return "" if tried.returncode == 0 else tried.stderr.strip() or f"unshare ended with {tried.returncode}"
