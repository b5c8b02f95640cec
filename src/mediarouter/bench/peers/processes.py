"""Processes of other routers: started with a log file, measured by the scheduler's account, ended by their id."""

import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

START_TIMEOUT_S = 15.0
ANSWER_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0
INSIST_S = 0.2
POLL_S = 0.02
LOG_TAIL = 600
CPU_CLOCK = 2  # of a process: the time of all its threads, ended ones included (clock_getcpuclockid)


class PeerError(Exception):
    """A router could not be started, or does not do what it should."""


def cpu_ns(pid: int) -> int:
    """Processor time, user and system, of a process and of the children it has: nanoseconds.

    Raises:
        ProcessLookupError: there is no such process.
    """
    try:
        used = time.clock_gettime_ns((~pid << 3) | CPU_CLOCK)
        children = children_of(pid)
    except OSError as error:
        raise ProcessLookupError(f"process {pid} has ended") from error
    return used + sum(cpu_ns(child) for child in children)


def children_of(pid: int) -> list[int]:
    """Of all threads of a process. By who names it as parent: not every kernel lists the children of a thread.

    Raises:
        ProcessLookupError: there is no such process.
    """
    parents = {int(entry.name): parent_of(entry) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
    if parents.get(pid) is None:
        raise ProcessLookupError(f"process {pid} has ended")
    return [child for child, parent in parents.items() if parent == pid]


def parent_of(entry: Path) -> int | None:
    try:
        stat = (entry / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return None
    return int(stat.rpartition(") ")[2].split()[1])


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody has, for a program that cannot be asked which it took."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class PeerProcess:
    """One router's process.

    Args:
        command: its program and arguments.
        log: a file for what it prints.
        environment: added to ours.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: dict[str, str] | None = None,
        piped: bool = False,
    ) -> None:
        self.log = log
        pipe = subprocess.PIPE if piped else None
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or output,
                stderr=output,
                env=os.environ | (environment or {}),
            )

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def wait_for(self, ready: Callable[[], bool], timeout_s: float = START_TIMEOUT_S) -> None:
        """Until it is ready.

        Raises:
            PeerError: it ended, or took too long.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self._process.poll() is not None:
                raise PeerError(f"it ended with {self._process.returncode}: {self.tail()}")
            if time.monotonic() > deadline:
                raise PeerError(f"it was not ready after {timeout_s:.0f} s: {self.tail()}")
            time.sleep(POLL_S)

    def ask(self, line: bytes) -> bytes:
        """A line to its standard input; the line it answers by.

        Raises:
            PeerError: it ended, or is silent.
        """
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        if not select.select([self._process.stdout], [], [], ANSWER_TIMEOUT_S)[0]:
            raise PeerError(f"no answer within {ANSWER_TIMEOUT_S:.0f} s: {self.tail()}")
        answer: bytes = self._process.stdout.readline()
        if not answer:
            raise PeerError(f"it ended with {self._process.wait(STOP_TIMEOUT_S)}: {self.tail()}")
        return answer

    def tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:].strip()

    def stop(self, *, insist: bool = False) -> None:
        """End it: by its input's end or a signal, and by force after five seconds.

        Args:
            insist: say it twice, to who would wait for clients to leave.
        """
        if self._process.stdin:
            self._process.stdin.close()
        else:
            self._process.terminate()
        if insist:
            try:
                self._process.wait(INSIST_S)
            except subprocess.TimeoutExpired:
                self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
