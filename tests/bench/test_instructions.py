"""The command that counts instructions: what it runs, under what, and when it fails."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "bench"))

import instructions  # noqa: E402
import workloads  # noqa: E402
from verdict import Failure, Row  # noqa: E402

from mediarouter.bench import _loops  # noqa: E402

RECORDED = json.loads(instructions.RECORD.read_text())
HERE = RECORDED["environment"] | {"compiler": next(iter(RECORDED["builds"]))}
ROW = "forwarded 1 x 100"


def counted(factor: float) -> dict[str, Row]:
    """The record as if counted anew, our own code in one row so many times as long."""
    rows = {name: Row(dict(groups)) for name, groups in RECORDED["rows"].items()}
    rows[ROW].groups["ours"] *= factor
    return rows


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\0GNU C17 12.2.0 -g -O3 -fPIC -O2 -fPIC\0rest GCC: (Debian) 12\0", "GNU C17 12.2.0 -fPIC -O2"),
        (b"\0GNU C17 12.2.0 -fPIC -ggdb -O3\0", "GNU C17 12.2.0 -fPIC -O3"),
        (b"\0GNU C17 12.2.0\0", "GNU C17 12.2.0"),
        (b"\0a\0Debian clang version 14.0.6\0GCC: (Debian) 12\0", "Debian clang version 14.0.6"),
        (b"\0GCC: (Debian 12.2.0-14) 12.2.0\0\0", "GCC: (Debian 12.2.0-14) 12.2.0"),
        (b"\x7fELF", "unknown"),
    ],
)
def test_the_compiler_is_read_from_what_it_made(tmp_path, data, told):
    (tmp_path / "a.so").write_bytes(data)
    assert instructions.compiled_by(tmp_path / "a.so") == told


def test_what_is_counted_is_the_function_of_that_name():
    assert instructions.COUNTED == _loops.COUNTED


def test_the_compiler_of_this_tree_is_known():
    (sample,) = (ROOT / "src").glob(instructions.SAMPLE)
    assert instructions.compiled_by(sample) != "unknown"


def test_workloads_run_in_an_environment_of_their_own(monkeypatch):
    monkeypatch.setenv("MEDIAROUTER_SRTP_BACKEND", "libsrtp")
    assert "MEDIAROUTER_SRTP_BACKEND" not in instructions.clean_environment(ROOT)


@pytest.mark.parametrize("row", [row for row in workloads.ROWS if not workloads.missing(row)])
def test_every_workload_does_what_it_is_asked(row):
    work = workloads.ROWS[row]()
    warm, small, large = (work.run(times) for times in (work.small, work.small, work.large))
    assert 0 < warm == small < large


def test_a_row_without_its_library_says_why(monkeypatch, capsys):
    monkeypatch.setattr(workloads._srtp_crypto, "problem", "there is no libIPSec_MB.so.1")
    workloads.main(["protect GCM ipsec-mb", "rtp_parse"])
    _, missing, counted = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert missing == {"row": "protect GCM ipsec-mb", "missing": "there is no libIPSec_MB.so.1"}
    assert counted == {"row": "rtp_parse", "packets": [500, 1500]}


def test_workloads_that_do_not_exist_are_named():
    with pytest.raises(SystemExit, match="no rows nothing; there are rtp_parse"):
        workloads.main(["nothing"])


@pytest.mark.parametrize(
    ("rows", "code", "text"),
    [
        (counted(1), 0, "no row has grown"),
        (counted(1.1), 1, f"{ROW}: "),
        (None, 2, "no valgrind"),
    ],
)
def test_the_command_fails_when_the_gate_does(monkeypatch, capsys, rows, code, text):
    def count(names, tree):
        if rows is None:
            raise Failure("there is no valgrind")
        return HERE, rows, {}

    monkeypatch.setattr(instructions, "count", count)
    monkeypatch.setattr(sys, "argv", ["instructions.py", "--check"])
    assert instructions.main() == code
    printed = capsys.readouterr()
    assert text in printed.out + printed.err


def test_without_valgrind_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="apt-get install valgrind"):
        instructions.count([], ROOT / "src")
