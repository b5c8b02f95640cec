from collections.abc import Iterable
from typing import final

from typing_extensions import Buffer

from mediarouter._rtcp_packet import FeedbackPacket
from mediarouter.rtcp_rows import FullIntraRequest, NackPair, SliceLoss

@final
class Nack(FeedbackPacket):
    __match_args__ = ("sender_ssrc", "media_ssrc", "sequence_numbers")
    def __init__(self, sender_ssrc: int, media_ssrc: int, sequence_numbers: Iterable[int]) -> None: ...
    @classmethod
    def from_pairs(cls, sender_ssrc: int, media_ssrc: int, pairs: Iterable[NackPair | tuple[int, int]]) -> Nack: ...
    @property
    def pairs(self) -> tuple[NackPair, ...]: ...
    @property
    def sequence_numbers(self) -> tuple[int, ...]: ...

@final
class Pli(FeedbackPacket):
    __match_args__ = ("sender_ssrc", "media_ssrc")
    def __init__(self, sender_ssrc: int, media_ssrc: int) -> None: ...

@final
class Sli(FeedbackPacket):
    __match_args__ = ("sender_ssrc", "media_ssrc", "entries")
    def __init__(
        self,
        sender_ssrc: int,
        media_ssrc: int,
        entries: Iterable[SliceLoss | tuple[int, int, int]],
    ) -> None: ...
    @property
    def entries(self) -> tuple[SliceLoss, ...]: ...

@final
class Rpsi(FeedbackPacket):
    __match_args__ = ("sender_ssrc", "media_ssrc", "payload_type", "bit_string", "bit_count")
    def __init__(
        self,
        sender_ssrc: int,
        media_ssrc: int,
        payload_type: int,
        bit_string: Buffer,
        bit_count: int | None = ...,
    ) -> None: ...
    @property
    def payload_type(self) -> int: ...
    @property
    def bit_count(self) -> int: ...
    @property
    def bit_string(self) -> bytes: ...

@final
class Fir(FeedbackPacket):
    __match_args__ = ("sender_ssrc", "entries", "media_ssrc")
    def __init__(
        self,
        sender_ssrc: int,
        entries: Iterable[FullIntraRequest | tuple[int, int]],
        media_ssrc: int = ...,
    ) -> None: ...
    @property
    def entries(self) -> tuple[FullIntraRequest, ...]: ...
