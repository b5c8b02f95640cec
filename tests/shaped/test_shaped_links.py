"""Viewers of three simulcast publishers behind a link that narrows and opens, from 4 Mbit/s to 0.6, 2.5 and 10.

The link is a namespace of its own with `tbf`; a call takes 36 s. Goals that are not reached yet stand beside what is
asserted. `make shaped` runs this; `unshare --net python -m tests.clients.shaped_call chromium` prints all figures of
one call.
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


def assert_it_follows(found: dict[str, Any]) -> None:
    """What five calls of each viewer have kept, with room for a busy machine."""
    # goals 0.35, 1.5 and 3 s, a second more or less; measured 0.17 to 0.24, 0.3 to 2.1, 1.0 to 2.4
    assert found["targets_fit_s"] is not None and found["targets_fit_s"] <= 1.0, found
    assert found["next_layer_s"] is not None and found["next_layer_s"] <= 2.5, found
    assert found["top_s"] is not None and found["top_s"] <= 4, found
    # Of three pictures together, all when the link has just become narrow. Measured 1.1 to 1.7; the goal is 1, which
    # each of the three reaches
    assert found["freezes_s"] <= 2.6, found
    assert found["freezes_s_by_step"][2] + found["freezes_s_by_step"][3] <= 0.5, found
    # measured 1.1 % at most
    assert found["concealed"] < 0.03, found
    # From three seconds after each step where more is wanted than fits. Goal 0.8; measured 0.82 to 0.89, 0.69 to 0.82,
    # 0.77 to 0.93
    narrow_enough = zip(found["settled_use"][:3], (0.75, 0.6, 0.65), strict=True)
    assert all(use >= least for use, least in narrow_enough), found
    # measured 31 to 44 ms
    assert found["queue_p95_ms"] <= 100, found


def test_chromium_gets_what_the_link_carries() -> None:
    assert_it_follows(call("chromium"))


def test_libwebrtc_gets_no_less_than_libwebrtc_would_send_and_waits_no_longer() -> None:
    ours = call("wrtc")
    assert_it_follows(ours)
    theirs = call("direct")
    # A pair of libwebrtc fills queue and link at 0.6 Mbit/s (0.93 to 1.0, where ours use 0.75 to 0.81) and takes longer
    # to use what opens: of the three narrow steps together it uses 0.65 to 0.69, ours 0.72 to 0.78
    assert sum(ours["use"][:3]) >= sum(theirs["use"][:3]) - 0.1, (ours, theirs)
    assert ours["queue_p95_ms"] <= theirs["queue_p95_ms"], (ours, theirs)
    assert ours["freezes_s"] <= theirs["freezes_s"], (ours, theirs)
