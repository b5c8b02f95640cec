from collections.abc import Sequence
from typing import Self, final

def utility(pixels: int, fps: int) -> int: ...

@final
class LayerHull:
    def __new__(cls, layers: Sequence[tuple[int, int, int, int, int, int]]) -> Self: ...
    def wanted(
        self,
        max_spatial: int = ...,
        max_temporal: int = ...,
        min_spatial: int = ...,
        min_temporal: int = ...,
        max_height: int = ...,
        max_fps: int = ...,
    ) -> list[int]: ...
    def corners(self, limit_bps: int = ...) -> list[int]: ...
    def highest(self) -> int | None: ...
