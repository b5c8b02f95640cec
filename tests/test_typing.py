"""The types that users see, by two type checkers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "tests" / "typing"


def check(*command, **environment):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment}
    )
    return done.returncode, done.stdout[-3000:] + done.stderr[-2000:]


@pytest.mark.timeout(300)
def test_mypy():
    code, told = check("mypy", "--strict", str(EXAMPLES), MYPYPATH=str(ROOT / "src"))
    assert code == 0, told


@pytest.mark.timeout(300)
def test_pyright(tmp_path):
    # settings of its own: the project's are mypy's
    settings = tmp_path / "pyrightconfig.json"
    paths = {"include": [str(EXAMPLES)], "extraPaths": [str(ROOT / "src")], "typeCheckingMode": "standard"}
    settings.write_text(json.dumps(paths))
    code, told = check("pyright", "--project", str(settings), "--pythonpath", sys.executable)
    assert code == 0, told


@pytest.mark.timeout(300)
def test_a_wrong_type_is_seen(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from mediarouter import rtp\n\nrtp.parse(b'').ssrc = 'text'\n")
    code, told = check("mypy", "--strict", str(wrong), MYPYPATH=str(ROOT / "src"))
    assert code == 1 and "assignment" in told
