"""`mediarouter bench peers`: options that make sense, a table for people, JSON for programs."""

import json
import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from mediarouter.bench.commands import app
from mediarouter.bench.peers import builds, command, namespace
from mediarouter.bench.peers.peer import Missing

OURS = {
    "version": "0.1.0, libsrtp",
    "ns_per_packet": 2000.0,
    "packets_per_cpu_second": 500_000,
    "ratio": 1.0,
    "lost": 0,
    "damaged": 0,
    "refused": 0,
    "arrived": 1.0,
}
FIGURES = {
    "publishers": 1,
    "subscribers": 60,
    "profile": "AEAD_AES_128_GCM",
    "routers": {
        "mediarouter": OURS,
        "janus": OURS | {"version": "1.1.2", "ns_per_packet": 12_345.6, "ratio": 6.172, "lost": 3},
        "pion": {"missing": "there is no go"},
        "livekit": {"version": "1.13.5", "failures": ["round 1: no connection"]},
    },
}


def run(*arguments: str):
    return CliRunner().invoke(app, ["peers", *arguments])


@pytest.fixture
def measured(monkeypatch):
    """What the comparison was asked, while it gives canned figures."""
    asked = []

    def run_apart(options, report):
        asked.append(options)
        report("janus, round 1 of 3")
        return FIGURES

    monkeypatch.setattr(command, "run_apart", run_apart)
    return asked


def test_people_get_a_table_and_what_went_wrong(measured):
    done = run("--subscribers", "60")
    assert done.exit_code == 0
    for text in ("12,346", "6.17", "500,000", "janus: 1.1.2", "pion: there is no go", "livekit: round 1: no conn"):
        assert text in done.output, text
    assert measured[0]["peers"] == list(command.PEERS) and measured[0]["subscribers"] == 60


def test_programs_get_json(measured):
    done = run("--json", "--peers", "janus, asyncio,janus")
    assert json.loads(done.stdout) == FIGURES
    assert measured[0]["peers"] == ["janus", "asyncio"]


@pytest.mark.parametrize("arguments", [("--peers", "skype"), ("--profile", "ROT13"), ("--subscribers", "0")])
def test_what_cannot_be_measured_is_refused(measured, arguments):
    assert run(*arguments).exit_code == 2 and not measured


def test_without_any_peer_it_fails(measured, monkeypatch):
    monkeypatch.setitem(FIGURES["routers"], "janus", {"missing": "apt-get install janus"})
    assert run().exit_code == 1


def test_building_is_asked_for_and_may_fail(measured, monkeypatch):
    built = []

    def build(name):
        built.append(name)
        raise Missing("no go on PATH")

    monkeypatch.setattr(builds, "build", build)
    assert run("--peers", "pion,janus").exit_code == 0 and not built
    assert "pion: no go on PATH" in run("--build", "--peers", "pion,janus").output
    assert built == ["pion", "janus"]


@pytest.mark.e2e
@pytest.mark.parametrize("reason", ["", "not permitted"])
def test_the_comparison_runs_in_a_process_of_its_own(monkeypatch, tmp_path, reason):
    monkeypatch.setenv("PATH", str(tmp_path))  # no other program, whatever is installed
    monkeypatch.setattr(namespace, "why_not", lambda: reason)
    monkeypatch.setattr(namespace, "within", lambda argv: argv)  # wherever the tests are run
    done = run("--peers", "asyncio,janus", "--subscribers", "2", "--rounds", "1", "--seconds", "0.5", "--json")
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["routers"]["asyncio"]["ratio"] > 1
    assert figures["routers"]["asyncio"]["lost"] == 0
    assert "apt-get install janus" in figures["routers"]["janus"]["missing"]
    assert ("not permitted" in done.stderr) == bool(reason)


@pytest.mark.e2e
def test_a_comparison_ends_with_who_started_it(tmp_path):
    options = {"peers": ["asyncio"], "publishers": 1, "subscribers": 1, "profile": "AEAD_AES_128_GCM"}
    options |= {"rounds": 1, "seconds": 60, "address": ""}
    with subprocess.Popen(
        [sys.executable, "-m", "mediarouter.bench.peers.run", json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as process:
        assert json.loads(process.stdout.readline()) == {"doing": "mediarouter, round 1 of 1"}
        process.stdin.close()
        assert process.wait(20) == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir()), "and its routers' folders are gone"


STARTS_AND_ENDS = """
import os, subprocess, sys
from mediarouter.bench.peers.processes import children_of
from mediarouter.bench.peers.run import end_children
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(children_of(os.getpid()) == [child.pid])
end_children()
print(children_of(os.getpid()))
"""


def test_routers_that_were_being_started_are_ended():
    done = subprocess.run([sys.executable, "-c", STARTS_AND_ENDS], capture_output=True, text=True, timeout=30)
    assert done.stdout == "True\n[]\n"


def test_a_comparison_that_ends_early_is_told(monkeypatch):
    monkeypatch.setattr(namespace, "why_not", lambda: "none here")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    done = run("--peers", "janus")
    assert done.exit_code == 1 and "before its time" in done.output
