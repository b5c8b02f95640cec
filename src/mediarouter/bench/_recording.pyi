from typing import Self, final

PAYLOAD_TYPE: int
MID: bytes
MID_ID: int
SEND_TIME_ID: int
TRANSPORT_CC_ID: int
MEDIA_SSRC: int
COPY_SSRC: int
FIRST_SEQ: int

@final
class Recording:
    def __new__(
        cls,
        *,
        publishers: int,
        subscribers: int,
        payload_size: int = ...,
        packets_per_frame: int = ...,
        gap_us: int = ...,
    ) -> Self: ...
    @property
    def publishers(self) -> int: ...
    @property
    def subscribers(self) -> int: ...
    @property
    def duration_us(self) -> int: ...
    def address(self, client: int) -> tuple[str, int]: ...
    def add(self, profile: int, key: bytes, check: bytes) -> None: ...
    def record(self, duration_us: int) -> None: ...
    def __len__(self) -> int: ...
    def datagram(self, index: int) -> tuple[int, int, bytes]: ...
