"""A process of its own for what is measured: JSON lines to it, JSON lines back."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

END_TIMEOUT_S = 10.0
READ_SIZE = 1 << 16


class Child:
    """A module that runs as a process and answers each line by a line.

    It has a session of its own, so that Ctrl-C comes to us alone; it ends when its standard input does, however we end.

    Args:
        module: its name, as for `python -m`.
        **first: its first order.

    Raises:
        RuntimeError: it has ended; what it said is on standard error.
    """

    def __init__(self, module: str, **first: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._read = b""
        try:
            self.welcome = self.order(**first)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def fileno(self) -> int:
        """What is readable when there is something to `receive`, unless `waiting`."""
        assert self._process.stdout
        return self._process.stdout.fileno()

    @property
    def waiting(self) -> bool:
        """An answer is here already."""
        return b"\n" in self._read

    def order(self, **fields: Any) -> dict[str, Any]:
        """Send an order; its answer."""
        self.send(**fields)
        return self.receive()

    def send(self, **fields: Any) -> None:
        """Send an order whose answer is received later, in the order of orders."""
        left = memoryview(json.dumps(fields).encode() + b"\n")
        assert self._process.stdin
        try:
            while left:
                left = left[self._process.stdin.write(left) :]
        except BrokenPipeError:
            raise RuntimeError(f"a process of the benchmark ended with {self._process.wait()}") from None

    def receive(self) -> dict[str, Any]:
        """The next answer; waits for it."""
        assert self._process.stdout
        while not self.waiting:
            piece = self._process.stdout.read(READ_SIZE)
            if not piece:
                raise RuntimeError(f"a process of the benchmark ended with {self._process.wait()}")
            self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        return dict(json.loads(line))

    def close(self) -> None:
        """End it. Closing twice is no error."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._process.wait(END_TIMEOUT_S)
        except BaseException as error:
            self._process.kill()
            self._process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
        finally:
            self._process.stdout.close()


def orders() -> Iterator[dict[str, Any]]:
    """The other end: what comes on standard input until it ends; half a line is none."""
    while (line := sys.stdin.readline()).endswith("\n"):
        yield json.loads(line)


def answer(**fields: Any) -> None:
    """Answer an order."""
    print(json.dumps(fields), flush=True)
