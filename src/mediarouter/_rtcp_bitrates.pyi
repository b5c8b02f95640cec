from collections.abc import Iterable
from typing import final

from mediarouter._rtcp_packet import FeedbackPacket
from mediarouter.rtcp_rows import BitrateLimit

@final
class Tmmbr(FeedbackPacket):
    __match_args__ = ("sender_ssrc", "limits", "media_ssrc")
    def __init__(
        self,
        sender_ssrc: int,
        limits: Iterable[BitrateLimit | tuple[int, int, int]],
        media_ssrc: int = ...,
    ) -> None: ...
    @property
    def limits(self) -> tuple[BitrateLimit, ...]: ...

@final
class Tmmbn(FeedbackPacket):
    __match_args__ = ("sender_ssrc", "limits", "media_ssrc")
    def __init__(
        self,
        sender_ssrc: int,
        limits: Iterable[BitrateLimit | tuple[int, int, int]] = ...,
        media_ssrc: int = ...,
    ) -> None: ...
    @property
    def limits(self) -> tuple[BitrateLimit, ...]: ...

@final
class Remb(FeedbackPacket):
    __match_args__ = ("sender_ssrc", "bitrate_bps", "ssrcs", "media_ssrc")
    def __init__(
        self,
        sender_ssrc: int,
        bitrate_bps: int,
        ssrcs: Iterable[int] = ...,
        media_ssrc: int = ...,
    ) -> None: ...
    @property
    def bitrate_bps(self) -> int: ...
    @property
    def ssrcs(self) -> tuple[int, ...]: ...
