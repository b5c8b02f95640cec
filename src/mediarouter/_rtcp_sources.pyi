from collections.abc import Iterable
from typing import final

from typing_extensions import Buffer

from mediarouter._rtcp_packet import RtcpPacket
from mediarouter.rtcp_rows import SdesChunk, SdesItem

@final
class Sdes(RtcpPacket):
    __match_args__ = ("chunks",)
    def __init__(
        self,
        chunks: Iterable[SdesChunk | tuple[int, Iterable[SdesItem | tuple[int, Buffer | str]]]] = ...,
    ) -> None: ...
    @property
    def chunks(self) -> tuple[SdesChunk, ...]: ...

@final
class Bye(RtcpPacket):
    __match_args__ = ("ssrcs", "reason")
    def __init__(self, ssrcs: Iterable[int], reason: Buffer | str | None = ...) -> None: ...
    @property
    def ssrcs(self) -> tuple[int, ...]: ...
    @property
    def reason(self) -> bytes | None: ...

@final
class App(RtcpPacket):
    __match_args__ = ("ssrc", "name", "data", "subtype")
    def __init__(self, ssrc: int, name: Buffer | str, data: Buffer = ..., subtype: int = ...) -> None: ...
    @property
    def ssrc(self) -> int: ...
    @property
    def name(self) -> bytes: ...
    @property
    def data(self) -> bytes: ...
    @property
    def subtype(self) -> int: ...
