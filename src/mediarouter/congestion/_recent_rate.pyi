from typing import final

@final
class RecentRateFace:
    def add(self, arrival_us: int, size_bytes: int) -> None: ...
    @property
    def bps(self) -> int: ...
