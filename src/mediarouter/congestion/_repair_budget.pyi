from typing import final

@final
class RepairBudgetFace:
    def take(self, size_bytes: int, rate_bps: int, now_us: int) -> bool: ...
