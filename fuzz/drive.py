"""Throw mutated inputs at a fuzz target: `python fuzz/drive.py rtp --seconds 60`.

A target is two modules: `_NAME.pyx` runs the parser in C, some hundred thousand times a second, and looks at what it
says (`fuzz/_loop.pyx` tells how); NAME.py has the seeds, and looks at the same parser as users of Python meet it. Every
EVERY-th input goes to both.

What fails is an assertion, a report of the sanitizers, an exception that no docstring names, or an input that takes
HANG_S. The seed is printed before all else and makes the same inputs again. The input in hand is kept in a file, so
that a crash leaves it behind: `build/fuzz/NAME-PID.input`, to be run once more by `--again`.
"""

from __future__ import annotations

import argparse
import importlib
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "build" / "fuzz"
LOOPS = ROOT / "build" / "loops"  # of the package as it is built in place; the sanitized tree has its own
INPUT_MAX = 4096
HANG_S = 60


def targets() -> list[str]:
    """All of them, by name."""
    return sorted(path.stem for path in (ROOT / "fuzz").glob("*.py") if path.name != Path(__file__).name)


class Target(NamedTuple):
    """What is driven.

    Attributes:
        python: has SEEDS, EVERY and `fuzz_one(data)`, which returns how many runs of the parser took their input, and
            how many did not.
        compiled: has `loop(seeds, seed, kept)`.
    """

    python: Any
    compiled: Any


def load(name: str) -> Target:
    """A target of this folder."""
    return Target(importlib.import_module(f"fuzz.{name}"), importlib.import_module(f"fuzz._{name}"))


def find_loops() -> None:
    """Let `fuzz._NAME` be found: it must have been compiled together with the package that is tested."""
    import mediarouter

    tree = Path(mediarouter.__file__).parents[1]
    sys.path[:0] = [str(ROOT), str(tree if tree.parent == ROOT / "build" else LOOPS)]
    try:
        importlib.import_module("fuzz._loop")
    except ModuleNotFoundError:
        sys.exit("the loops in C are not built: make build, or make fuzz for those under the sanitizers")


class Run:
    """One target, being driven.

    Args:
        kept: memory that an input is written to before it is run; None: it is not.
    """

    def __init__(self, target: Target, seed: int, kept: mmap.mmap | None = None) -> None:
        self.python = target.python
        self.loop = target.compiled.loop(target.python.SEEDS, seed, kept)
        self.accepted = self.refused = 0  # through Python

    @property
    def executions(self) -> int:
        """Runs of the parser in C."""
        return int(self.loop.accepted + self.loop.refused)

    def go(self, *, seconds: float, executions: int, hang_s: int = HANG_S) -> None:
        """Until time or count is over."""
        end, turns = time.monotonic() + seconds, 0
        try:
            while self.executions < executions and (turns & 7 or time.monotonic() < end):
                if turns & 7 == 0:
                    signal.alarm(hang_s)  # by default it kills, and no loop in C can hold it off
                turns += 1
                self.loop.run(min(self.python.EVERY, executions - self.executions))
                self.through_python(self.loop.input)
        finally:
            signal.alarm(0)

    def again(self, data: bytes) -> None:
        """Run one input in C, then through Python."""
        self.loop.again(data)
        self.through_python(data)

    def through_python(self, data: bytes) -> None:
        """The same parser as its users meet it."""
        accepted, refused = self.python.fuzz_one(data)
        self.accepted += accepted
        self.refused += refused

    def told(self) -> str:
        """What was done, in one line."""
        through_python = self.accepted + self.refused
        return (
            f"{share(self.loop.accepted, self.executions)} accepted, {self.loop.distinct:,} distinct inputs, "
            f"{self.loop.shapes:,} shapes; {through_python:,} of them through Python, "
            f"{share(self.accepted, through_python)} accepted"
        )


def share(part: int, whole: int) -> str:
    """In per cent."""
    return f"{100 * part / whole:.0f} %" if whole else "none"


def drive(name: str, target: Target, *, seconds: float, executions: int, seed: int, hang_s: int = HANG_S) -> None:
    """Run a target and tell about it."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{name}-{os.getpid()}.input"
    path.write_bytes(bytes(INPUT_MAX + 2))
    print(f"{name}: seed {seed}, the input in hand is in {path.relative_to(ROOT)}", flush=True)
    begun = time.monotonic()
    with path.open("r+b") as file:
        run = Run(target, seed, mmap.mmap(file.fileno(), INPUT_MAX + 2))
    run.go(seconds=seconds, executions=executions, hang_s=hang_s)
    wall, busy = time.monotonic() - begun, time.process_time()
    print(f"{name}: {run.executions} executions in {wall:.0f} s ({busy:.0f} s of processor); {run.told()}", flush=True)
    path.unlink()


def main(names: list[str], load: Callable[[str], Target]) -> None:
    """Drive one target of these, or run one kept input again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=names)
    parser.add_argument("--seconds", type=float, help="how long; 60, or for ever where executions are counted")
    parser.add_argument("--executions", type=int, default=sys.maxsize, help="end after so many")
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="of the dice")
    parser.add_argument("--hang", type=int, default=HANG_S, help="seconds that no input may take")
    parser.add_argument("--again", type=Path, help="a kept input, to be run once")
    options = parser.parse_args()
    find_loops()
    if options.again:
        kept = options.again.read_bytes()
        signal.alarm(options.hang)
        Run(load(options.target), options.seed).again(kept[2 : 2 + int.from_bytes(kept[:2], "big")])
        return
    seconds = options.seconds or (60 if options.executions == sys.maxsize else float("inf"))
    drive(
        options.target,
        load(options.target),
        seconds=seconds,
        executions=options.executions,
        seed=options.seed,
        hang_s=options.hang,
    )


if __name__ == "__main__":
    main(targets(), load)
