"""Fuzz targets with bugs that the fuzzer must find: `python -m tests.fuzz_planted over_read --seed 1`."""

from functools import partial
from types import SimpleNamespace

from fuzz import drive

IN_C = ("none", "over_read", "invariant", "endless")
BUGS = (*IN_C, "exception")
SEEDS = [b"\x01\x02ab", b"\x02\x03abc", b"\x01\x00"]


def exception(data: bytes) -> tuple[int, int]:
    """Raises what no docstring names."""
    return (1, 0) if data[:1] != b"\xff" else (1 // len(data[1:1]), 0)


def nothing(data: bytes) -> tuple[int, int]:
    """All is well."""
    return 1, 0


def load(name: str) -> drive.Target:
    """Python and C of it."""
    from fuzz import _planted

    python = SimpleNamespace(SEEDS=SEEDS, EVERY=10, fuzz_one=exception if name == "exception" else nothing)
    return drive.Target(python, SimpleNamespace(loop=partial(_planted.loop_with, name if name in IN_C else "none")))


if __name__ == "__main__":
    drive.main(list(BUGS), load)
