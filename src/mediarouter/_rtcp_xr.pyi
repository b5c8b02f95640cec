from collections.abc import Iterable
from typing import final

from mediarouter._rtcp_packet import RtcpPacket
from mediarouter.rtcp_xr_blocks import Dlrr, Rrtr, XrBlock

@final
class Xr(RtcpPacket):
    __match_args__ = ("ssrc", "blocks")
    def __init__(self, ssrc: int, blocks: Iterable[Rrtr | Dlrr | XrBlock] = ...) -> None: ...
    @property
    def ssrc(self) -> int: ...
    @property
    def blocks(self) -> tuple[Rrtr | Dlrr | XrBlock, ...]: ...
