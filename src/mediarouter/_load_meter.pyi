from typing import final

@final
class LoadMeterFace:
    def note(self, woke_us: int, slept_us: int) -> tuple[float, bool]: ...
