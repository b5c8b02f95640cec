"""Two engines in two threads against one, fed from memory: does a second worker bring a second worker's packets?

    python bench/replay.py                  medians of some rounds
    python bench/replay.py --check          ... and fail below 1.9 times

No socket is there, so that it is the engine that is measured and not the kernel. Each thread's time is taken by the
scheduler's account: what it spent ready to run while others had the processors is not counted, so that neighbours on
the machine take no part; what it spends blocked, by a lock or the GIL, is.
"""

import argparse
import statistics
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

from mediarouter import srtp
from mediarouter.bench.stage import Stage

LEAST = 1.9
START_NS = 50_000_000  # until then every thread is on its way


@dataclass(frozen=True)
class Measured:
    """What some engines did side by side; each figure is a list with one a thread.

    Attributes:
        packets: forwarded.
        wall_ns: from begin to end; of these
        cpu_ns: on a processor, and
        waited_ns: ready to run without one.
    """

    packets: list[int]
    wall_ns: list[int]
    cpu_ns: list[int]
    waited_ns: list[int]

    @property
    def spans_ns(self) -> list[int]:
        """The time that the scheduler let each thread run; its two accounts differ by a little."""
        spans = zip(self.wall_ns, self.cpu_ns, self.waited_ns, strict=True)
        return [max(wall - waited, cpu) for wall, cpu, waited in spans]

    @property
    def rate(self) -> float:
        """Packets a second of all threads together, in that time."""
        return sum(packets / span for packets, span in zip(self.packets, self.spans_ns, strict=True)) * 1e9

    @property
    def wall_rate(self) -> float:
        """Packets a second by the clock on the wall."""
        return sum(self.packets) / max(self.wall_ns) * 1e9

    @property
    def cpu_ns_per_packet(self) -> float:
        """Processor time of a packet."""
        return sum(self.cpu_ns) / sum(self.packets)

    @property
    def blocked(self) -> float:
        """The share of it in which a thread was on no processor: it waited for a lock."""
        return 1 - sum(self.cpu_ns) / sum(self.spans_ns)


@contextmanager
def spinning(wanted: bool):
    """A thread that keeps Python busy."""
    busy = wanted

    def spin() -> None:
        while busy:
            pass

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield
    finally:
        busy = False
        thread.join()


def measure(workers: int, *, subscribers: int, seconds: float, spin: bool = False) -> Measured:
    """Let engines play a meeting each, of so many seconds, all at once."""
    duration_us = int(seconds * 1_000_000)
    stages = [Stage(1, subscribers) for _ in range(workers)]
    for stage in stages:
        stage.record(duration_us)
    figures: list[dict[str, int]] = [{}] * workers
    with spinning(spin):
        start_ns = time.monotonic_ns() + START_NS

        def play(index: int) -> None:
            figures[index] = stages[index].play(duration_us, start_ns)

        threads = [threading.Thread(target=play, args=(index,)) for index in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    columns = {name: [f[name] for f in figures] for name in ("packets", "wall_ns", "cpu_ns", "waited_ns")}
    return Measured(**columns)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--subscribers", type=int, default=100, help="of the one publisher of each worker")
    parser.add_argument("--seconds", type=float, default=60, help="of meeting that are played in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help=f"fail below {LEAST / 2} of each worker")
    options = parser.parse_args()
    load = {"subscribers": options.subscribers, "seconds": options.seconds}
    rounds = [
        (
            measure(1, **load),
            measure(options.workers, **load),
            measure(options.workers, spin=True, **load),
        )
        for _ in range(options.rounds)
    ]
    many = f"{options.workers} workers"
    print(f"{srtp.backend}, 1 publisher and {options.subscribers} subscribers a worker, {options.rounds} rounds")
    print(f"{'':32}{'packets/s':>12}{'by the wall':>12}{'ns/packet':>11}{'blocked':>9}{'against one':>13}")
    ratios = []
    for index, name in enumerate(("one worker", many, f"{many}, and Python spins")):
        runs = [measured[index] for measured in rounds]
        ratio = statistics.median(measured[index].rate / measured[0].rate for measured in rounds)
        ratios.append(ratio)
        rate, wall_rate, ns, blocked = (
            statistics.median(getattr(run, figure) for run in runs)
            for figure in ("rate", "wall_rate", "cpu_ns_per_packet", "blocked")
        )
        print(f"{name:32}{rate:12,.0f}{wall_rate:12,.0f}{ns:11.1f}{blocked:9.1%}{ratio:13.3f}")
    return 1 if options.check and min(ratios[1:]) < options.workers * LEAST / 2 else 0


if __name__ == "__main__":
    sys.exit(main())
