from collections.abc import Iterable
from typing import final

from mediarouter._rtcp_packet import RtcpPacket
from mediarouter.rtcp_rows import CcfbArrival, CcfbStream

@final
class Ccfb(RtcpPacket):
    __match_args__ = ("sender_ssrc", "report_timestamp", "streams")
    def __init__(
        self,
        sender_ssrc: int,
        report_timestamp: int,
        streams: Iterable[CcfbStream | tuple[int, int, Iterable[CcfbArrival | tuple[int, int] | None]]] = ...,
    ) -> None: ...
    @property
    def sender_ssrc(self) -> int: ...
    @property
    def report_timestamp(self) -> int: ...
    @property
    def streams(self) -> tuple[CcfbStream, ...]: ...
