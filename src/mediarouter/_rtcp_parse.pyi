from collections.abc import Iterable

from typing_extensions import Buffer

from mediarouter._rtcp_packet import RtcpPacket
from mediarouter._transport_feedback import Twcc

class RtcpError(ValueError):
    packets: list[RtcpPacket | Twcc]
    offset: int
    def __init__(self, reason: str, packets: Iterable[RtcpPacket | Twcc] = ..., offset: int = ...) -> None: ...

def parse(data: Buffer, *, strict: bool = ...) -> list[RtcpPacket | Twcc]: ...
