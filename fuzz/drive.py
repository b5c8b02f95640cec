"""Throw random and damaged inputs at a fuzz target: `python fuzz/drive.py rtp --seconds 60`.

A target is a module of this folder with `fuzz_one(data)`, which throws its own dice too. libFuzzer can drive the same
function (`python fuzz/rtp.py`, with atheris installed), but finds no coverage in compiled code; this needs nothing.
The input in hand is kept in a file, so that a crash leaves it behind: `build/fuzz/TARGET-PID.input`.
"""

import argparse
import importlib.util
import mmap
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
INPUT_MAX = 4096
KEPT = FOLDER.parent / "build" / "fuzz"


def targets() -> list[str]:
    """All of them, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.name != Path(__file__).name)


def load(name: str) -> Any:
    """A target; by its file, since one is named like a module of Python's own."""
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FOLDER / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def inputs(target: Any, dice: random.Random) -> Any:
    """Without end: noise of all sizes, and the target's seeds with bytes flipped, cut, repeated and put in."""
    seeds = [bytes(seed)[:INPUT_MAX] for seed in getattr(target, "SEEDS", [])] or [b""]
    while True:
        if dice.random() < 0.4:
            yield dice.randbytes(int(dice.paretovariate(0.7)) % 1500)
            continue
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(1, 6)):
            at = dice.randrange(len(data) + 1)
            turn = dice.randrange(5)
            if turn == 0:
                del data[at:]
            elif turn == 1:
                data[at:at] = dice.randbytes(dice.randrange(1, 9))
            elif turn == 2:
                data[at:at] = data[at : at + dice.randrange(1, 60)]
            elif at < len(data):
                data[at] = dice.choice((0, 0xFF, data[at] ^ (1 << dice.randrange(8)), dice.randrange(256)))
        yield bytes(data[:INPUT_MAX])


def drive(name: str, *, seconds: float, executions: int, seed: int) -> int:
    """Run a target until time or count is over; how often it ran."""
    target = load(name)
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{name}-{os.getpid()}.input"
    path.write_bytes(bytes(INPUT_MAX + 2))
    end, count = time.monotonic() + seconds, 0
    with path.open("r+b") as file, mmap.mmap(file.fileno(), INPUT_MAX + 2) as kept:
        for data in inputs(target, random.Random(seed)):
            kept[: 2 + len(data)] = len(data).to_bytes(2, "big") + data
            target.fuzz_one(data)
            count += 1
            if count >= executions or (count & 63 == 0 and time.monotonic() >= end):
                break
    path.unlink()
    return count


def main() -> None:
    """Drive one target, or run one kept input again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=targets())
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--executions", type=int, default=sys.maxsize, help="end after so many, if time allows")
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="of the dice")
    parser.add_argument("--again", type=Path, help="a kept input, to be run once")
    options = parser.parse_args()
    sys.path.insert(0, str(FOLDER.parent))  # targets share vectors with the tests
    if options.again:
        kept = options.again.read_bytes()
        load(options.target).fuzz_one(kept[2 : 2 + int.from_bytes(kept[:2], "big")])
        return
    begun = time.monotonic()
    count = drive(options.target, seconds=options.seconds, executions=options.executions, seed=options.seed)
    print(f"{options.target}: {count} executions in {time.monotonic() - begun:.0f} s, seed {options.seed}", flush=True)


if __name__ == "__main__":
    main()
