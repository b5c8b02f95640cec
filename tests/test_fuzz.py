"""The fuzz targets run, each a little; `make fuzz` runs them for long, under the sanitizers."""

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.drive import targets

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("target", targets())
def test_a_target_stands_some_hundred_inputs(target):
    command = [sys.executable, "fuzz/drive.py", target, "--executions", "300", "--seconds", "20", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{target}: 300 executions" in done.stdout
