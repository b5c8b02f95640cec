"""Instructions of a packet, by callgrind: exact, so that a change of a few percent shows on any machine.

    python bench/instructions.py                    count, and print a table beside the record
    python bench/instructions.py --check            ... and fail where a row has grown
    python bench/instructions.py --record           ... and make it the record, bench/instructions.json
    python bench/instructions.py --top 20 --rows "forwarded 1 x 100"       by function

What is counted and what not, and how another compiler is judged, is told in bench/README.md.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import callgrind
from callgrind import GROUPS
from verdict import Failure, Row, difference, judge, renewed

ROOT = Path(__file__).parents[1]
RECORD = Path(__file__).with_name("instructions.json")
SAMPLE = "mediarouter/_forward.*.so"  # one of our modules, to see what compiled them
COUNTED = "mediarouter_counted"


def clean_environment(tree: Path) -> dict[str, str]:
    """What valgrind's process may see: a different environment would move its memory, and memcpy minds alignment."""
    found = {
        name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV") if name in os.environ
    }
    paths = os.pathsep.join((str(tree), str(ROOT)))
    return found | {"PYTHONPATH": paths, "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}


def compiled_by(sample: Path) -> str:
    """Compiler, version and options of a compiled module: as the debug information tells, or the compiler alone."""
    data = sample.read_bytes()
    for pattern in (rb"GNU C\d* [^\0]+", rb"[^\0]*clang version [^\0]+", rb"GCC: [^\0]+"):
        if found := re.search(pattern, data):
            return tidied(found[0].decode("ascii", "replace"))
    return "unknown"


def tidied(producer: str) -> str:
    """Without what makes no difference: debug information, options given again, levels of optimisation overruled."""
    level = ["", *(word for word in producer.split() if word.startswith("-O"))][-1]
    words = [word for word in producer.split() if not re.match(r"-[gO]", word)]
    return " ".join([*dict.fromkeys(words), *filter(None, [level])])


def valgrind_version() -> str:
    if shutil.which("valgrind") is None:
        raise Failure("there is no valgrind: apt-get install valgrind")
    return subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True).stdout.strip()


def count(names: list[str], tree: Path) -> tuple[dict[str, str], dict[str, Row], dict[str, str]]:
    """Run the workloads under callgrind.

    Args:
        tree: the folder with the compiled package.

    Returns:
        the environment, a row for each name, and why those that are not among them cannot be counted here.

    Raises:
        Failure: valgrind is not there, or a workload failed.
    """
    version = valgrind_version()
    samples = sorted(tree.glob(SAMPLE))
    if not samples:
        raise Failure(f"nothing is compiled in {tree}: make build")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        tool = ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={out}"]
        tool += ["--compress-strings=no", "--compress-pos=no", "--collect-atstart=no"]
        tool += [f"--toggle-collect={COUNTED}", f"--dump-after={COUNTED}"]
        workloads = [sys.executable, str(Path(__file__).with_name("workloads.py")), *names]
        done = subprocess.run(
            [*tool, *workloads], cwd=ROOT, env=clean_environment(tree), capture_output=True, text=True
        )
        if done.returncode != 0:
            raise Failure(f"the workloads failed under valgrind: {done.stderr[-2000:]}")
        seen, *told = [json.loads(line) for line in done.stdout.splitlines()]
        missing = {row["row"]: row["missing"] for row in told if "missing" in row}
        rows = {}
        for index, row in enumerate(row for row in told if "packets" in row):
            small, large = (callgrind.read(out.with_name(f"out.{2 * index + part}")) for part in (1, 2))
            rows[row["row"]] = difference(small, large, row["packets"])
    return {"compiler": compiled_by(samples[0]), "valgrind": version} | seen, rows, missing


def change(now: float, before: float) -> str:
    """In percent."""
    return "" if before == 0 else f"{(now / before - 1) * 100:+.1f}"


def show(rows: dict[str, Row], recorded: dict[str, Any] | None, environment: dict[str, str]) -> None:
    """The table, and what it depends on."""
    for name, value in environment.items():
        same = recorded and (
            name == "compiler" and value in recorded["builds"] or value == recorded["environment"].get(name)
        )
        print(f"{name:>10}  {value}{'' if same or not recorded else '   (not as recorded)'}")
    known = recorded["rows"] if recorded else {}
    print(f"\n{'instructions a packet':26}" + "".join(f"{group:>10}{'%':>7}" for group in GROUPS) + f"{'sum':>10}")
    for name, row in rows.items():
        before = known.get(name, dict.fromkeys(GROUPS, 0.0))
        cells = "".join(f"{row.groups[group]:10.1f}{change(row.groups[group], before[group]):>7}" for group in GROUPS)
        print(f"{name:26}{cells}{sum(row.groups.values()):10.1f}")


def show_top(name: str, row: Row, most: int) -> None:
    """The functions that take most."""
    print(f"\n{name}: self instructions a packet")
    for function, value in sorted(row.functions.items(), key=lambda item: -item[1])[:most]:
        print(f"{value:10.1f}  {function.group:7} {function.short}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail where a row has grown")
    parser.add_argument("--record", action="store_true", help="write bench/instructions.json")
    parser.add_argument("--rows", nargs="+", help="only these")
    parser.add_argument("--top", type=int, default=0, help="show so many functions of each row")
    parser.add_argument("--tree", type=Path, default=ROOT / "src", help="folder of the compiled package")
    options = parser.parse_args()
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else None
    try:
        environment, rows, missing = count(options.rows or [], options.tree.resolve())
        show(rows, recorded, environment)
        for name, why in missing.items():
            print(f"{name:26}  not counted: {why}")
        for name in rows if options.top else ():
            show_top(name, rows[name], options.top)
        if options.record:
            if options.rows or missing:
                raise Failure("all rows are recorded at once")
            RECORD.write_text(json.dumps(renewed(rows, recorded, environment), indent=1) + "\n")
            return 0
        if not options.check:
            return 0
        if recorded is None:
            raise Failure("there is no record")
        if options.rows:
            recorded["rows"] = {name: row for name, row in recorded["rows"].items() if name in rows}
        wrong = judge(rows, missing, recorded, environment)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 2
    print("\n" + ("\n".join(wrong) or "no row has grown"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
