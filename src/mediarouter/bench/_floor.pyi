from typing import Self, final

@final
class Floor:
    def __new__(
        cls,
        fd: int,
        *,
        profile: int,
        packet_size: int,
        packets_per_frame: int,
        frames_per_second: int,
        publishers: int = ...,
        one_by_one: bool = ...,
    ) -> Self: ...
    @property
    def count(self) -> int: ...
    def add(self, key: bytes, sockaddr: bytes) -> None: ...
    def run(self) -> None: ...
    def stop(self) -> None: ...
    def figures(self) -> dict[str, int]: ...
