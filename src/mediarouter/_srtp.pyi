from collections.abc import Iterable
from typing import Self, SupportsInt, final

from mediarouter.errors import MediaRouterError

__all__ = ["RTCP_LIFETIME", "RTP_LIFETIME", "SrtpError", "SrtpSession"]

RTP_LIFETIME: int
RTCP_LIFETIME: int

class SrtpError(MediaRouterError):
    reason: str
    def __init__(self, reason: str) -> None: ...

@final
class SrtpSession:
    def __new__(
        cls,
        profile: SupportsInt,
        local_key: bytes | bytearray | memoryview,
        remote_key: bytes | bytearray | memoryview,
        *,
        backend: str | None = None,
        local_mki: bytes = b"",
        remote_mki: bytes = b"",
        local_lifetime: int | None = None,
        remote_lifetime: int | None = None,
        encrypted_extensions: Iterable[int] = (),
        cryptex: bool = False,
    ) -> Self: ...
    def protect(self, packet: bytes | bytearray | memoryview, /) -> bytes: ...
    def unprotect(self, packet: bytes | bytearray | memoryview, /) -> bytes: ...
    def protect_rtcp(self, packet: bytes | bytearray | memoryview, /) -> bytes: ...
    def unprotect_rtcp(self, packet: bytes | bytearray | memoryview, /) -> bytes: ...
    def remove_ssrc(self, ssrc: int) -> None: ...
    def set_rollover_counter(self, ssrc: int, counter: int, *, remote: bool = True) -> None: ...
    def rollover_counter(self, ssrc: int, *, remote: bool = True) -> int | None: ...
    @property
    def backend(self) -> str: ...
    @property
    def packets_left(self) -> tuple[int, int]: ...
    @property
    def ssrc_count(self) -> tuple[int, int]: ...
    @property
    def cryptex(self) -> bool: ...
