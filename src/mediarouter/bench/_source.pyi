from typing import Self, final

@final
class Source:
    def __new__(
        cls,
        *,
        vp8: bool,
        payload_type: int,
        payload_size: int,
        packets_per_frame: int,
        frames_per_second: int,
        gap_us: int,
        clock_rate: int,
        extensions: tuple[int, int, int],
        scattered: bool = ...,
    ) -> Self: ...
    @property
    def count(self) -> int: ...
    def add(
        self,
        fd: int,
        profile: int,
        local_key: bytes,
        remote_key: bytes,
        check: bytes,
        ssrc: int,
        password: bytes = ...,
    ) -> None: ...
    def limit(self, count: int) -> None: ...
    def run(self) -> None: ...
    def stop(self) -> None: ...
    def figures(self) -> dict[str, int]: ...
    def reset(self) -> None: ...
