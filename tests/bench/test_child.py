"""A process of a benchmark answers, tells when it ends, and never outlives us."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from mediarouter.bench.child import Child


@pytest.fixture
def echo(tmp_path, monkeypatch):
    """A module that answers each order by its fields; {"die": 3} ends it so."""
    (tmp_path / "echo.py").write_text(
        "import json, sys\n"
        "while line := sys.stdin.readline():\n"
        "    order = json.loads(line)\n"
        "    if 'die' in order: sys.exit(order['die'])\n"
        "    print(json.dumps(order), flush=True)\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    return "echo"


def test_orders_are_answered_until_it_is_closed(echo):
    child = Child(echo, first=1)
    assert child.welcome == {"first": 1} and child.order(do="x", n=[2]) == {"do": "x", "n": [2]}
    process = psutil.Process(child.pid)
    child.close()
    child.close()
    assert not process.is_running()


def test_one_that_ends_is_told_by_its_code(echo):
    child = Child(echo)
    with pytest.raises(RuntimeError, match="ended with 3"):
        child.order(die=3)
    with pytest.raises(RuntimeError, match="ended with 3"):
        child.order(do="anything")
    child.close()
    with pytest.raises(RuntimeError, match="ended with 1"):
        Child("no_such_module_of_ours")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_however_its_parent_ends(echo, how):
    code = (
        "import sys\n"
        "from mediarouter.bench.child import Child\n"
        "print(Child('echo').pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout and parent.stdin
        child = psutil.Process(int(parent.stdout.readline()))
        assert os.getsid(child.pid) == child.pid, "Ctrl-C in a terminal does not come to it"
        parent.send_signal(how)
        assert parent.wait(10) == -how
        psutil.wait_procs([child], timeout=10)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
