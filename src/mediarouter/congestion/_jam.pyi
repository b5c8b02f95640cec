from typing import final

@final
class JamFace:
    def report(self, packets: list[tuple[int, int, int]], queue_us: int) -> int: ...
