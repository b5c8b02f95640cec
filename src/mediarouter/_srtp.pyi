from typing import Self, SupportsInt, final

from mediarouter.errors import MediaRouterError

backend: str
KEY_SIZES: dict[int, int]

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
    ) -> Self: ...
    def protect(self, packet: bytes | bytearray | memoryview) -> bytes: ...
    def unprotect(self, packet: bytes | bytearray | memoryview) -> bytes: ...
    def protect_rtcp(self, packet: bytes | bytearray | memoryview) -> bytes: ...
    def unprotect_rtcp(self, packet: bytes | bytearray | memoryview) -> bytes: ...
    def remove_ssrc(self, ssrc: int) -> None: ...
