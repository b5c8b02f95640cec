"""What is shipped: an sdist that builds, a wheel that works away from the source tree, stubs that tell the truth."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SMOKE = """
import asyncio, mediarouter as m
from mediarouter.srtp import Profile, SrtpSession
async def main():
    async with await m.Worker.create() as worker:
        router = await worker.create_router()
        transport = await router.create_webrtc_transport()
        assert transport.ice_candidates[0].port == worker.port
asyncio.run(main())
print(m.__file__)
"""


@pytest.mark.timeout(600)
def test_an_sdist_makes_a_wheel_that_works_elsewhere(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHONPATH", "MEDIAROUTER_"))}
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
        env=environment,
    )
    (sdist,) = tmp_path.glob("*.tar.gz")
    (wheel,) = tmp_path.glob("*.whl")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        assert any(name.endswith("src/mediarouter/_engine.pyx") for name in names)
        assert any(name.endswith("src/mediarouter/_plane.pxd") for name in names)
        assert any(name.endswith("LICENSE") for name in names)
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "mediarouter/py.typed",
        "mediarouter/_engine.pyi",
        "mediarouter/_rtp.pxd",
        "mediarouter/web/static/app.js",
        "mediarouter/web/static/index.html",
    ):
        assert wanted in names
    assert not [name for name in names if name.endswith((".c", ".pyx"))]
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True, env=environment)
    done = subprocess.run(
        [python, "-c", SMOKE], check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert str(tmp_path) in done.stdout
    no_web = subprocess.run(
        [python, "-m", "mediarouter.cli"], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert no_web.returncode != 0 and "mediarouter[web]" in no_web.stderr


@pytest.mark.timeout(300)
def test_stubs_tell_the_truth():
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    source = ROOT / "src"
    stubbed = [".".join(p.relative_to(source).with_suffix("").parts) for p in sorted(source.rglob("*.pyi"))]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            *stubbed,
            "--allowlist",
            "tests/stubtest-allowlist.txt",
            "--ignore-unused-allowlist",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
