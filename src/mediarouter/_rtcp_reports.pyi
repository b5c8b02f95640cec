from collections.abc import Iterable
from typing import Any, Self, final

from typing_extensions import Buffer

from mediarouter._rtcp_packet import RtcpPacket

@final
class ReportBlock:
    __match_args__ = (
        "ssrc",
        "fraction_lost",
        "cumulative_lost",
        "highest_sequence_number",
        "jitter",
        "last_sr",
        "delay_since_last_sr",
    )
    def __init__(
        self,
        ssrc: int,
        fraction_lost: int = ...,
        cumulative_lost: int = ...,
        highest_sequence_number: int = ...,
        jitter: int = ...,
        last_sr: int = ...,
        delay_since_last_sr: int = ...,
    ) -> None: ...
    @property
    def ssrc(self) -> int: ...
    @property
    def fraction_lost(self) -> int: ...
    @property
    def cumulative_lost(self) -> int: ...
    @property
    def highest_sequence_number(self) -> int: ...
    @property
    def jitter(self) -> int: ...
    @property
    def last_sr(self) -> int: ...
    @property
    def delay_since_last_sr(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __replace__(self, **changes: Any) -> Self: ...

class ReportPacket(RtcpPacket):
    @property
    def ssrc(self) -> int: ...
    @property
    def reports(self) -> tuple[ReportBlock, ...]: ...
    @property
    def extension(self) -> bytes: ...

@final
class SenderReport(ReportPacket):
    __match_args__ = ("ssrc", "ntp_timestamp", "rtp_timestamp", "packet_count", "octet_count", "reports", "extension")
    def __init__(
        self,
        ssrc: int,
        ntp_timestamp: int,
        rtp_timestamp: int,
        packet_count: int,
        octet_count: int,
        reports: Iterable[ReportBlock] = ...,
        extension: Buffer = ...,
    ) -> None: ...
    @property
    def ntp_timestamp(self) -> int: ...
    @property
    def rtp_timestamp(self) -> int: ...
    @property
    def packet_count(self) -> int: ...
    @property
    def octet_count(self) -> int: ...

@final
class ReceiverReport(ReportPacket):
    __match_args__ = ("ssrc", "reports", "extension")
    def __init__(self, ssrc: int, reports: Iterable[ReportBlock] = ..., extension: Buffer = ...) -> None: ...
