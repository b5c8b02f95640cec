"""The fuzzer: it finds planted bugs, says honestly what it did, and does the same for the same seed. Each target runs a
little; `make fuzz` runs them for long, under the sanitizers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.drive import INPUT_MAX, LOOPS, Run, find_loops, load, targets

import mediarouter
from tests import fuzz_planted

ROOT = Path(__file__).parent.parent
IN_PLACE = Path(mediarouter.__file__).parents[1] == ROOT / "src"
TOLD = re.compile(
    r"(?P<name>\w+): (?P<executions>\d+) executions in \d+ s \(\d+ s of processor\); (?P<accepted>\d+) % accepted, "
    r"(?P<distinct>[\d,]+) distinct inputs, (?P<shapes>[\d,]+) shapes; (?P<python>[\d,]+) of them through Python, "
    r"(?P<python_accepted>\d+) % accepted\n"
)


@pytest.fixture(scope="module", autouse=True)
def loops():
    """The loops in C, compiled anew where something has changed; the sanitized tree has its own."""
    if IN_PLACE:
        command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(LOOPS)]
        command += ["--build-temp", f"{LOOPS}-objects"]
        environment = {**os.environ, "MEDIAROUTER_FUZZ": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    find_loops()


def run(*arguments, planted=False):
    command = [sys.executable, *(["-m", "tests.fuzz_planted"] if planted else ["fuzz/drive.py"]), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def kept_by(done):
    """The input that a run left behind."""
    return ROOT / re.search(r"the input in hand is in (\S+)\n", done.stdout)[1]


@pytest.mark.parametrize("name", targets())
def test_a_target_stands_some_thousand_inputs(name):
    done = run(name, "--executions", "4000", "--seconds", "60", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert f"{name}: seed 1, " in done.stdout and not kept_by(done).exists()
    told = TOLD.search(done.stdout)
    assert told["name"] == name and 4000 <= int(told["executions"]) < 4100
    assert 4000 // load(name).python.EVERY <= int(told["python"].replace(",", "")) <= 4100


@pytest.mark.parametrize("name", targets())
def test_a_target_takes_some_and_refuses_some(name):
    """Almost nothing is learnt of a parser that is handed noise, or only what it likes."""
    target = Run(load(name), 1)
    target.loop.run(20_000)
    loop = target.loop
    # an element carries whatever value: in C these are refused for their size alone
    most = 1.0 if name == "header_extensions" else 0.99
    assert 0.3 < loop.accepted / target.executions <= most
    assert loop.distinct > 0.5 * target.executions
    assert loop.shapes > 200
    for _ in range(400):
        loop.run(1)
        target.through_python(loop.input)
    assert 0.3 < target.accepted / (target.accepted + target.refused) < 0.99


@pytest.mark.parametrize("name", targets())
def test_the_same_seed_makes_the_same_inputs(name):
    first, again, other = (Run(load(name), seed).loop for seed in (7, 7, 8))
    inputs = []
    for loop in (first, again, other):
        made = []
        for _ in range(200):
            loop.run(3)
            made.append(loop.input)
        inputs.append(made)
    assert inputs[0] == inputs[1] != inputs[2]
    assert first.accepted == again.accepted and first.refused == again.refused and first.distinct == again.distinct


@pytest.mark.parametrize("name", targets())
def test_python_and_c_agree_on_the_seeds(name):
    target = Run(load(name), 1)
    assert not {seed for seed in target.python.SEEDS if len(seed) > INPUT_MAX}
    for seed in target.python.SEEDS:
        target.again(seed)
    assert target.executions and target.accepted + target.refused
    if name not in ("header_extensions", "srtp"):  # where Python reads more than C, and scripts play otherwise
        assert (target.accepted, target.refused) == (target.loop.accepted, target.loop.refused)


def test_no_bug_is_found_where_none_is():
    done = run("none", "--executions", "20000", "--seed", "3", planted=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = TOLD.search(done.stdout)
    assert int(told["executions"]) == 20000 and told["python"] == "2,000" and told["python_accepted"] == "100"


@pytest.mark.parametrize(
    ("bug", "sign"),
    [
        ("over_read", "heap-buffer-overflow" if not IN_PLACE else ""),
        ("invariant", "AssertionError: a sum that does not add up"),
        ("exception", "ZeroDivisionError"),
        ("endless", ""),
    ],
)
def test_a_planted_bug_is_found(bug, sign):
    found = run(bug, "--executions", "1000000", "--seed", "5", "--hang", "2", planted=True)
    assert found.returncode != 0 and sign in found.stderr and "executions" not in found.stdout
    again = run(bug, "--again", kept_by(found), "--hang", "2", planted=True)
    assert again.returncode == found.returncode and sign in again.stderr
    # and by its seed
    repeated = run(bug, "--executions", "1000000", "--seed", "5", "--hang", "2", planted=True)
    assert kept_by(repeated).read_bytes() == kept_by(found).read_bytes()
    for done in (found, repeated):
        kept_by(done).unlink()


def test_one_byte_too_many_is_seen():
    """Of a packet whose length is one more than it has: that byte, and no other, is read past the end."""
    path = ROOT / "build" / "fuzz" / f"one-byte-{os.getpid()}.input"
    path.parent.mkdir(parents=True, exist_ok=True)
    for data, good in ((b"\x41\x02ab", True), (b"\x41\x03ab", False), (b"\x01\x03ab", True)):
        path.write_bytes(len(data).to_bytes(2, "big") + data)
        done = run("over_read", "--again", path, planted=True)
        assert (done.returncode == 0) is good, done.stderr
    path.unlink()


def test_distinct_inputs_are_counted():
    loop = Run(fuzz_planted.load("none"), 1).loop
    inputs = set()
    for _ in range(30_000):
        loop.run(1)
        inputs.add(loop.input)
    assert len(inputs) < 29_000 and abs(loop.distinct - len(inputs)) < 0.001 * len(inputs)
    assert max(map(len, inputs)) <= INPUT_MAX and loop.accepted + loop.refused == 30_000


def test_inputs_stay_within_their_room():
    target = fuzz_planted.load("none")
    target.python.SEEDS = [bytes(INPUT_MAX), bytes(INPUT_MAX - 1), b""]
    loop = Run(target, 2).loop
    sizes = set()
    for _ in range(20_000):
        loop.run(1)
        sizes.add(len(loop.input))
    assert max(sizes) == INPUT_MAX and min(sizes) == 0 and len(sizes) > 500


def test_a_target_needs_a_seed():
    target = fuzz_planted.load("none")
    target.python.SEEDS = []
    with pytest.raises(ValueError, match="needs a seed"):
        Run(target, 1)
