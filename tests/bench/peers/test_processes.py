"""Routers' processes: their time is the scheduler's, they end when told to, and what they say is waited for in time."""

import os
import socket
import sys
import time

import pytest

from mediarouter.bench.peers import processes
from mediarouter.bench.peers.processes import PeerError, PeerProcess, cpu_ns, free_port

WAIT = "print(time.process_time_ns(), flush=True)\nsys.stdin.readline()\n"


def python(code: str, log, **options) -> PeerProcess:
    return PeerProcess([sys.executable, "-c", "import signal, sys, time\n" + code], log, **options)


def test_the_time_of_a_process_is_what_it_says_itself():
    before, ours, after = time.process_time_ns(), cpu_ns(os.getpid()), time.process_time_ns()
    assert before <= ours <= after


def test_the_time_of_others_counts_ended_threads_and_children(tmp_path):
    work = "import threading\ndef work():\n while time.thread_time_ns() < 50_000_000: pass\n"
    threads = "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
    child = "import subprocess\nchild = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=-1, stdout=-1)\n"
    code = "import sys, time\n" + work + threads
    process = PeerProcess(
        [sys.executable, "-c", code + child + "child.stdout.readline()\n" + WAIT, code + WAIT],
        tmp_path / "log",
        piped=True,
    )
    own = int(process.ask(b""))
    assert cpu_ns(process.pid) >= own + 50_000_000
    process.stop()
    with pytest.raises(ProcessLookupError, match="ended"):
        cpu_ns(process.pid)


def test_a_process_that_does_not_become_ready_is_told(tmp_path):
    ended = python("print('no such thing'); sys.exit(3)", tmp_path / "log")
    with pytest.raises(PeerError, match="(?s)ended with 3: .*no such thing"):
        ended.wait_for(lambda: False)
    slow = python("signal.pause()", tmp_path / "slow")
    with pytest.raises(PeerError, match="not ready"):
        slow.wait_for(lambda: False, timeout_s=0.1)
    slow.wait_for(lambda: True)
    slow.stop()


def test_answers_are_waited_for_in_time(tmp_path, monkeypatch):
    echo = python("for line in sys.stdin: print(line.strip() * 2, flush=True)", tmp_path / "log", piped=True)
    assert echo.ask(b"ab") == b"abab\n"
    echo.stop()
    silent = python("sys.stdin.readline(); sys.stderr.write('oh'); sys.exit(4)", tmp_path / "log", piped=True)
    with pytest.raises(PeerError, match="ended with 4: oh"):
        silent.ask(b"x")
    monkeypatch.setattr(processes, "ANSWER_TIMEOUT_S", 0.1)
    mute = python("sys.stdin.read()", tmp_path / "log", piped=True)
    with pytest.raises(PeerError, match="no answer"):
        mute.ask(b"x")
    mute.stop()


def test_who_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "STOP_TIMEOUT_S", 0.2)
    ready = tmp_path / "ready"
    code = f"signal.signal(15, signal.SIG_IGN)\nopen({str(ready)!r}, 'w')\nsignal.pause()"
    stubborn = python(code, tmp_path / "log")
    stubborn.wait_for(ready.exists)
    stubborn.stop()
    with pytest.raises(ProcessLookupError):
        cpu_ns(stubborn.pid)


def test_who_waits_for_others_is_told_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "INSIST_S", 0.05)
    ready = tmp_path / "ready"
    count = "told = []\nsignal.signal(15, lambda *_: told.append(1) or len(told) < 2 or sys.exit(0))\n"
    patient = python(f"{count}open({str(ready)!r}, 'w')\nwhile True: signal.pause()", tmp_path / "log")
    patient.wait_for(ready.exists)
    patient.stop(insist=True)
    assert patient._process.returncode == 0


def test_a_free_port_can_be_bound():
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.bind(("127.0.0.1", free_port(kind)))
