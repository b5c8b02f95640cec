from collections.abc import Sequence

from mediarouter._srtp import SrtpSession

def protect_fanout(
    packet: bytes | bytearray | memoryview,
    sessions: Sequence[SrtpSession],
    out: bytearray | memoryview | None = None,
    *,
    headers: Sequence[bytes] | None = None,
) -> tuple[bytearray | memoryview, list[int]]: ...
def measure(packet: bytes, sessions: Sequence[SrtpSession], rounds: int) -> int: ...
