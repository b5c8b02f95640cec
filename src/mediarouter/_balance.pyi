from collections.abc import Mapping

LEFT_NAMES: tuple[str, ...]
SUMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]

def balance_of(counters: Mapping[str, int]) -> dict[str, int]: ...
