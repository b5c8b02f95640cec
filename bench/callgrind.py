"""Reading what callgrind writes: instructions by function and by the object the function is in.

Only self costs count here: what a function's own instructions are, those of functions that were inlined into it
included. The files must be written with `--compress-strings=no --compress-pos=no`.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

GROUPS = ("ours", "libc", "crypto", "python")  # and "bench", which is no part of what is measured
CRYPTO = ("libIPSec_MB", "pylibsrtp/_binding", "libcrypto")
LIBC = ("libc.so", "libc-2", "ld-linux", "libpthread", "vgpreload")


@dataclass(frozen=True)
class Function:
    """A function, by the object it is in."""

    object: str
    name: str

    @property
    def group(self) -> str:
        """Whose it is: `ours`, `bench` (ours, but what measures), `libc`, `crypto` (ciphers and hashes), or `python`
        and its modules."""
        if "/mediarouter/bench/" in self.object:
            return "bench"
        if "/mediarouter/" in self.object:
            return "ours"
        if any(name in self.object for name in CRYPTO):
            return "crypto"
        return "libc" if any(name in self.object for name in LIBC) else "python"

    @property
    def short(self) -> str:
        """The name as it stands in the source, with its module."""
        found = re.match(r"__pyx_(?:f|pw|pf)_", self.name)
        if not found:
            return self.name
        # Cython puts the length of each part before it: __pyx_f_11mediarouter_8_forward_emit; the number before a
        # function of Python is another one
        rest, parts = self.name[found.end() :], []
        while (digits := re.match(r"\d+", rest)) and rest[digits.end() + int(digits[0]) :][:1] == "_":
            parts.append(rest[digits.end() : digits.end() + int(digits[0])])
            rest = rest[digits.end() + int(digits[0]) + 1 :]
        return ".".join([*parts[1:], rest.lstrip("0123456789")])


def self_costs(lines: Iterable[str]) -> Counter[Function]:
    """Instructions of each function in one dump."""
    costs: Counter[Function] = Counter()
    current = ("", "")
    inclusive = False  # the line tells what a call cost, and that is in the callee's own lines
    for line in lines:
        if line[:1].isdigit():
            if not inclusive:
                costs[Function(*current)] += int(line.split()[1])
            inclusive = False
        elif line.startswith("ob="):
            current = (line[3:].rstrip("\n"), current[1])
        elif line.startswith("fn="):
            current = (current[0], line[3:].rstrip("\n"))
        elif line.startswith("calls="):
            inclusive = True
    return costs


def summary(lines: Iterable[str]) -> int:
    """All instructions of a dump, as callgrind itself adds them up."""
    return next(int(line.split()[1]) for line in lines if line.startswith(("summary:", "totals:")))


def read(path: Path) -> Counter[Function]:
    """Instructions of each function in one dump.

    Raises:
        ValueError: they do not add up to what the dump says.
    """
    lines = path.read_text(errors="replace").splitlines()
    costs = self_costs(lines)
    if costs.total() != summary(lines):
        raise ValueError(f"{path}: {costs.total()} instructions were read, {summary(lines)} were counted")
    return costs


def by_group(costs: Counter[Function]) -> Counter[str]:
    """Instructions of each group."""
    groups: Counter[str] = Counter()
    for function, count in costs.items():
        groups[function.group] += count
    return groups
