"""Routers in Go, built by the Go on this machine into a folder of the user's cache."""

import os
import shutil
import subprocess
from pathlib import Path

from mediarouter.bench.peers.peer import RECIPES, Missing

LIVEKIT_VERSION = "1.13.5"
GO_FOLDERS = ("/usr/local/go/bin", "/usr/lib/go/bin")
BUILD_TIMEOUT_S = 1800.0


def cache() -> Path:
    """Where programs are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mediarouter-bench"


def pion_program() -> Path:
    """Of our program with Pion; whether it is there is another matter."""
    return cache() / "pion-router"


def livekit_program() -> Path:
    """LiveKit's server: on PATH, else where `build` puts it; whether it is there is another matter."""
    return Path(shutil.which("livekit-server") or cache() / f"livekit-{LIVEKIT_VERSION}" / "server")


def required(program: Path, name: str) -> str:
    """The program's path.

    Raises:
        Missing: it is not there.
    """
    if not program.exists():
        raise Missing(f"{program} is not there: `mediarouter bench peers --build` makes it, with Go, once")
    if os.access(program, os.X_OK):
        return str(program)
    raise Missing(f"{program} cannot be run, so there is no {name}")


def build(name: str) -> None:
    """Make "pion" anew, or "livekit" if it is not there; of other routers nothing is made.

    Raises:
        Missing: there is no Go, no recipe, or it does not build.
    """
    if name == "pion":
        folder = RECIPES / "pion"
        if not (folder / "go.mod").exists():
            raise Missing(f"{folder} is only in a checkout of the repository")
        _go(["build", "-trimpath", "-o", str(pion_program()), "."], folder, {})
    elif name == "livekit" and not livekit_program().exists():
        module = f"github.com/livekit/livekit-server/cmd/server@v{LIVEKIT_VERSION}"
        target = livekit_program().parent
        _go(["install", module], target, {"GOBIN": str(target)})


def _go(arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
    go = next(filter(None, map(shutil.which, ("go", *(f"{folder}/go" for folder in GO_FOLDERS)))), None)
    if go is None:
        raise Missing("there is no go on PATH to build it with")
    cache().mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [go, *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
    )
    if done.returncode:
        raise Missing(f"go {arguments[0]} failed: {done.stderr.strip()[-600:]}")
