"""What is built, by a Go that only writes down what it was asked."""

import pytest

from mediarouter.bench.peers import builds
from mediarouter.bench.peers.peer import RECIPES, Missing


@pytest.fixture
def go(tmp_path, monkeypatch):
    """A folder with its log; the cache is elsewhere in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(builds, "GO_FOLDERS", ())

    def install(text: str):
        (tmp_path / "go").write_text(f"#!/bin/sh\necho $PWD $GOBIN $* >> {tmp_path}/log\n{text}\n")
        (tmp_path / "go").chmod(0o755)
        return tmp_path / "log"

    return install


def test_pions_router_is_built_from_the_recipe(go, tmp_path):
    log = go("")
    builds.build("pion")
    program = tmp_path / "cache" / "mediarouter-bench" / "pion-router"
    assert log.read_text() == f"{RECIPES / 'pion'} build -trimpath -o {program} .\n"
    assert builds.pion_program() == program


def test_livekit_is_installed_once(go):
    target = builds.livekit_program()
    log = go(f"touch {target}; chmod +x {target}")
    builds.build("livekit")
    builds.build("livekit")
    module = f"github.com/livekit/livekit-server/cmd/server@v{builds.LIVEKIT_VERSION}"
    assert log.read_text() == f"{target.parent} {target.parent} install {module}\n"
    assert builds.required(target, "LiveKit") == str(target)


def test_nothing_else_is_built(go):
    log = go("")
    builds.build("janus")
    builds.build("asyncio")
    assert not log.exists()


def test_what_is_missing_is_said(go, monkeypatch, tmp_path):
    with pytest.raises(Missing, match="no go on PATH"):
        builds.build("pion")
    go("echo no such module >&2; exit 1")
    with pytest.raises(Missing, match="go build failed: no such module"):
        builds.build("pion")
    with pytest.raises(Missing, match="--build"):
        builds.required(builds.pion_program(), "Pion")
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(Missing, match="cannot be run, so there is no Pion"):
        builds.required(plain, "Pion")
    monkeypatch.setattr(builds, "RECIPES", tmp_path)
    with pytest.raises(Missing, match="checkout"):
        builds.build("pion")
