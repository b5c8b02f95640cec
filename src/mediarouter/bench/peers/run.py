"""The comparison in a process of its own, inside the namespace: options by argument, JSON lines out. It ends early, and
every router with it, when its input ends or a signal says so: who started it may be gone.

    {"doing": "janus, round 1 of 3"}          as it goes
    {"figures": {}}                           the last
"""

import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from mediarouter.bench.load import Load
from mediarouter.bench.peers.comparison import compare
from mediarouter.bench.peers.processes import children_of
from mediarouter.srtp import Profile


def main(options: dict[str, Any]) -> None:
    """Compare."""
    with tempfile.TemporaryDirectory(prefix="mediarouter-bench-") as folder:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: sys.exit(128 + number))
        threading.Thread(target=_end_with_input, daemon=True).start()
        try:
            found = compare(
                options["peers"],
                Load(publishers=options["publishers"], subscribers=options["subscribers"], seconds=options["seconds"]),
                options["rounds"],
                Path(folder),
                profile=Profile[options["profile"]],
                address=options["address"],
                report=lambda text: print(json.dumps({"doing": text}), flush=True),
            )
        finally:
            end_children()
    print(json.dumps({"figures": found}), flush=True)


def end_children() -> None:
    """Routers that a signal left alive, since it came while they were being started; there are none else."""
    for child in children_of(os.getpid()):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _end_with_input() -> None:
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
