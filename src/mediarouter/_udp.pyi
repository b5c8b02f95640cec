from collections.abc import Iterable, Sequence
from typing import final

@final
class UdpFace:
    def send(
        self, packets: Iterable[tuple[int, bytes, int]], answers: Sequence[int]
    ) -> list[tuple[int, bytes, bool]]: ...
    def room(self, answers: Sequence[int] = ...) -> list[tuple[int, bytes, bool]]: ...
    @property
    def figures(self) -> dict[str, int]: ...
