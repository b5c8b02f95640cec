"""Viewers of three simulcast publishers behind a link that narrows and opens: 4 Mbit/s, 0.6, 2.5, 10; a queue of 250 ms.

The link is a namespace of its own with `tbf`; a call takes 36 s. Goals that are not reached yet stand beside what is
asserted; `unshare --net python -m tests.clients.shaped_call chromium` prints all figures of one call.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.shaped_link import why_not

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parent.parent.parent
CALL_S = 80  # at most; it takes 36


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    reason = why_not()
    if reason:
        pytest.skip(f"no network namespace with a shaped link can be made: {reason}")


def call(viewer: str) -> dict[str, Any]:
    """The figures of one call."""
    command = ["unshare", "--net", sys.executable, "-m", "tests.clients.shaped_call", viewer]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=CALL_S, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
