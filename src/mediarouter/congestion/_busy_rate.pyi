from typing import final

@final
class BusyRateFace:
    def add(self, arrival_us: int, size_bytes: int, queue_us: int) -> None: ...
    @property
    def bps(self) -> int: ...
