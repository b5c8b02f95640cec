"""The namespace is made by commands whose order matters; here their names stand for scripts that write it down."""

import subprocess

import pytest

from mediarouter.bench.peers import namespace


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Scripts in front of everything on PATH; what `ip` was asked is in the log."""

    def install(unshare: str, ip: str):
        for name, text in (("unshare", unshare), ("ip", ip)):
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return tmp_path / "log"

    return install


def test_a_dummy_carries_the_address_and_the_command_follows(tools, tmp_path):
    log = tmp_path / "log"
    tools('[ "$*" != "${*#--user --map-root-user --net}" ] && shift 3 && exec "$@"', f'echo "$@" >> {log}')
    done = subprocess.run(namespace.within(["echo", "a  b", "c"]), capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("a  b c\n", 0)
    assert log.read_text().splitlines() == [
        "link set lo up",
        "link add bench0 type dummy",
        "address add 198.18.0.1/32 dev bench0",
        "link set bench0 up",
    ]
    assert namespace.why_not() == ""


def test_where_there_is_no_dummy_a_cable_does(tools, tmp_path):
    log = tmp_path / "log"
    tools('shift 3; exec "$@"', f'echo "$@" >> {log}; [ "$*" = "${{*%dummy}}" ]')
    assert subprocess.run(namespace.within(["true"])).returncode == 0
    assert log.read_text().splitlines()[2:4] == ["link add bench0 type veth peer name bench1", "link set bench1 up"]


def test_why_there_is_none_is_told(tools, monkeypatch, tmp_path):
    tools("echo unshare: not permitted >&2; exit 1", "true")
    assert namespace.why_not() == "unshare: not permitted"
    tools("exit 7", "true")
    assert namespace.why_not() == "unshare ended with 7"
    tools('shift 3; exec "$@"', '[ "$2" != add ]')
    assert namespace.why_not() == "unshare ended with 1", "an address that cannot be added stops it"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert namespace.why_not() == "there is no unshare"
