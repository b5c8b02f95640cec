"""Sources and sinks in threads of their own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Runnable(Protocol):
    """What runs without the GIL until it is told to stop."""

    def run(self) -> None:
        """Work."""

    def stop(self) -> None:
        """Let `run` return."""


@contextmanager
def running(*workers: Runnable) -> Iterator[dict[Runnable, threading.Thread]]:
    """Their `run` in threads, until the block ends; the threads."""
    threads = {worker: threading.Thread(target=worker.run, daemon=True) for worker in workers}
    for thread in threads.values():
        thread.start()
    try:
        yield threads
    finally:
        for worker in workers:
            worker.stop()
        for thread in threads.values():
            thread.join()


def cpu_ns_of(thread: threading.Thread) -> int:
    """Processor time of a thread that runs."""
    assert thread.ident is not None
    return time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident))
