"""The comparison in a process of its own, inside the namespace: options by argument, JSON lines out.

    {"doing": "janus, round 1 of 3"}          as it goes
    {"figures": {}}                           the last
"""

import json
import signal
import sys
from typing import Any

from mediarouter.bench.fanout import Load
from mediarouter.bench.peers.comparison import compare
from mediarouter.srtp import Profile


def main(options: dict[str, Any]) -> None:
    """Compare; a signal to end ends the routers too."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    found = compare(
        options["peers"],
        Load(publishers=options["publishers"], subscribers=options["subscribers"], seconds=options["seconds"]),
        options["rounds"],
        profile=Profile[options["profile"]],
        address=options["address"],
        report=lambda text: print(json.dumps({"doing": text}), flush=True),
    )
    print(json.dumps({"figures": found}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
