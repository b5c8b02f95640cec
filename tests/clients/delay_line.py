"""Carries what leaves one network namespace into another, a while later: `python delay_line.py FROM TO MILLISECONDS`.

FROM and TO are file descriptors of TUN devices. It ends with its parent.
"""

import collections
import os
import select
import sys
import time

SIZE_MAX = 65536


def main(source: int, target: int, delay_s: float) -> None:
    """Carry packets for ever, in order."""
    waiting: collections.deque[tuple[float, bytes]] = collections.deque()
    parent = os.getppid()
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 1.0
        readable, _, _ = select.select([source], [], [], timeout)
        if readable:
            waiting.append((time.monotonic() + delay_s, os.read(source, SIZE_MAX)))
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(target, waiting.popleft()[1])
        if os.getppid() != parent:
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000)
