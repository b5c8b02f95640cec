from typing import final

@final
class QueueDelayFace:
    def add(self, send_us: int, arrival_us: int) -> int: ...
