"""The record of instructions, and whether new counts may stand beside it.

Our own code is always judged. The compiler it was recorded with makes the same instructions of it everywhere, so there
a few percent more are a change of ours. Other compilers make others: what the known ones make of each row is recorded
as a factor, and one that is not known is given room beyond the largest of them. What our code calls is judged only
where it is the very same as was recorded.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from callgrind import GROUPS, Function, by_group

SAME_PERCENT = 3.0  # a row may grow by so much where everything it depends on is as it was recorded
OTHER_PERCENT = 20.0  # ... and by so much beyond what any known compiler makes of it, with one that is not known
SLACK = 1.0  # instructions: below, percents mean nothing
# What the instructions of a group depend on, besides our sources.
DEPENDS = {
    "libc": ("machine", "processor", "compiler", "libc", "valgrind"),
    "crypto": ("machine", "processor", "ipsec-mb", "libsrtp", "valgrind"),
    "python": ("machine", "compiler", "python", "numpy", "valgrind"),
}
NOTE = (
    "Instructions a packet, by bench/instructions.py under callgrind. ours: compiled code of this package, inlined "
    "functions included, without bench/; libc: mostly memcpy; crypto: libIPSec_MB, libsrtp and the OpenSSL in it; "
    "python: the interpreter and numpy. The kernel is not counted. builds: the compiler of the rows, and what others "
    "make of them."
)


class Failure(Exception):
    """It could not be counted."""


@dataclass
class Row:
    """What a packet costs in one workload.

    Attributes:
        groups: instructions by group.
        functions: the same by function.
    """

    groups: dict[str, float]
    functions: Counter[Function] = field(default_factory=Counter)


def difference(small: Counter[Function], large: Counter[Function], packets: list[int]) -> Row:
    """What each packet costs that the large run had more than the small one."""
    more = packets[1] - packets[0]
    if more <= 0 or packets[0] <= 0:
        raise Failure(f"{packets[0]} and {packets[1]} packets")
    functions: Counter[Function] = Counter()
    for function in small | large:
        functions[function] = (large[function] - small[function]) / more  # type: ignore[assignment]
    groups = by_group(functions)
    return Row({name: round(groups[name], 1) for name in GROUPS}, functions)


def reference(recorded: dict[str, Any]) -> str:
    """The compiler that made what the rows of the record counted."""
    return str(next(iter(recorded["builds"])))


def limit(name: str, recorded: dict[str, Any], environment: dict[str, str]) -> float:
    """The most instructions that our own code may take for a row."""
    ours = float(recorded["rows"][name]["ours"])
    factors = {compiler: build["factors"].get(name, 1.0) for compiler, build in recorded["builds"].items()}
    factor = factors.get(environment["compiler"])
    if factor is None or environment["machine"] != recorded["environment"]["machine"]:
        return ours * max(factors.values()) * (1 + OTHER_PERCENT / 100) + SLACK
    return ours * factor * (1 + SAME_PERCENT / 100) + SLACK


def judged(group: str, recorded: dict[str, Any], environment: dict[str, str]) -> bool:
    """Does this group depend on nothing but what was recorded?"""
    before = recorded["environment"] | {"compiler": reference(recorded)}
    return all(environment[key] == before[key] for key in DEPENDS[group])


def judge(
    rows: dict[str, Row], missing: dict[str, str], recorded: dict[str, Any], environment: dict[str, str]
) -> list[str]:
    """What is wrong with the counts, a sentence each; nothing where all is well.

    Args:
        missing: rows that cannot be counted on this machine, and why.
    """
    known = recorded["rows"]
    wrong = [f"{name}: not in the record; --record" for name in rows if name not in known]
    wrong += [f"{name}: in the record, and not counted" for name in known if name not in rows and name not in missing]
    # one that nobody knows yet is no fault of this machine's
    wrong += [f"{name}: {why}" for name, why in missing.items() if why.startswith("there is no")]
    groups = [group for group in DEPENDS if judged(group, recorded, environment)]
    for name, row in rows.items():
        if name not in known:
            continue
        limits = {"ours": limit(name, recorded, environment)}
        # below 0: the interpreter, that found a shorter way the second time
        limits |= {group: max(known[name][group], 0) * (1 + SAME_PERCENT / 100) + SLACK for group in groups}
        for group, most in limits.items():
            if row.groups[group] > most:
                counts = f"{row.groups[group]:.1f}, recorded are {known[name][group]:.1f}, allowed {most:.1f}"
                wrong.append(f"{name}: instructions of {group} are {counts}")
    return wrong


def renewed(rows: dict[str, Row], recorded: dict[str, Any] | None, environment: dict[str, str]) -> dict[str, Any]:
    """The record with these counts.

    Factors of other compilers stay as they are. Counts with a compiler that is not the record's become its factors.

    Raises:
        Failure: there are rows that the record's compiler has not made yet.
    """
    compiler = environment["compiler"]
    if recorded and compiler != reference(recorded):
        known = recorded["rows"]
        if new := set(rows) - set(known):
            raise Failure(f"{', '.join(sorted(new))}: to be recorded first with {reference(recorded)}")
        factors = {name: round(row.groups["ours"] / known[name]["ours"], 4) for name, row in rows.items()}
        return recorded | {"builds": recorded["builds"] | {compiler: {"factors": factors}}}
    return {
        "note": NOTE,
        "environment": {name: value for name, value in environment.items() if name != "compiler"},
        "builds": recorded["builds"] if recorded else {compiler: {"factors": {}}},
        "rows": {name: row.groups for name, row in rows.items()},
    }
