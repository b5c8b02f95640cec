"""Clients that come in one after the other at a steady rate, however long each takes."""

import select
import time
from collections import deque
from dataclasses import dataclass, field

from mediarouter.bench.clients import Client, JoinError, Joining
from mediarouter.bench.router_under_test import RouterProcess
from mediarouter.transports.dtls import DtlsCertificate

SMALL_BUFFER = 1 << 16
PENDING_MAX = 64  # clients on their way; who comes later waits at the door
TICK_S = 0.01  # how often silent handshakes are looked at


@dataclass
class Outcome:
    """Of all that came.

    Attributes:
        joined, failed: how many.
        times_ms: from asking for a transport to having keys.
        client_cpu_ns: processor time of the clients and of asking.
    """

    joined: int = 0
    failed: int = 0
    times_ms: list[float] = field(default_factory=list)
    client_cpu_ns: int = 0


class Joins:
    """A crowd at the door of a router.

    Args:
        rate: clients a second.
    """

    def __init__(self, router: RouterProcess, certificate: DtlsCertificate, rate: float) -> None:
        self._router = router
        self._certificate = certificate
        self._rate = rate
        self._asked: deque[tuple[Client, float]] = deque()
        self._coming: dict[int, tuple[Joining, float]] = {}
        self._poll = select.poll()
        self._poll.register(router.child.fileno(), select.POLLIN)
        self._next_look_s = 0.0
        self.outcome = Outcome()

    def run(self, seconds: float) -> Outcome:
        """Let them come for so long; those who are not through by then do not count."""
        began_cpu_ns, began_s = time.thread_time_ns(), time.monotonic()
        come, now_s = 0, began_s
        while now_s < began_s + seconds:
            while come < (now_s - began_s) * self._rate and len(self._asked) + len(self._coming) < PENDING_MAX:
                self._ask(now_s)
                come += 1
            self._work(min(TICK_S, 1 / self._rate))
            now_s = time.monotonic()
        self.outcome.client_cpu_ns = time.thread_time_ns() - began_cpu_ns
        self._leave()
        return self.outcome

    def _ask(self, now_s: float) -> None:
        client = Client(self._certificate)
        self._router.ask(client)
        self._asked.append((client, now_s))

    def _work(self, wait_s: float) -> None:
        for descriptor, _ in self._poll.poll(wait_s * 1000):
            if descriptor in self._coming:
                self._receive(descriptor)
            else:
                self._open()
        now_s = time.monotonic()
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + TICK_S
            for descriptor, (joining, _) in tuple(self._coming.items()):
                if joining.wait_s() < TICK_S:
                    self._insist(descriptor, joining)

    def _open(self) -> None:
        while True:
            opened = self._router.opened()
            client, asked_s = self._asked.popleft()
            joining = Joining(client, opened.ice, opened.candidates, opened.dtls, receive_buffer=SMALL_BUFFER)
            self._coming[joining.socket.fileno()] = (joining, asked_s)
            self._poll.register(joining.socket, select.POLLIN)
            if not self._router.child.waiting:
                return

    def _receive(self, descriptor: int) -> None:
        joining, asked_s = self._coming[descriptor]
        joining.receive()
        if joining.done:
            self._forget(descriptor)
            try:
                joining.joined().socket.close()
            except JoinError:
                self.outcome.failed += 1
                return
            self.outcome.joined += 1
            self.outcome.times_ms.append((time.monotonic() - asked_s) * 1000)

    def _insist(self, descriptor: int, joining: Joining) -> None:
        try:
            joining.insist()
        except JoinError:
            self.outcome.failed += 1
            self._forget(descriptor)
            joining.socket.close()

    def _forget(self, descriptor: int) -> None:
        del self._coming[descriptor]
        self._poll.unregister(descriptor)

    def _leave(self) -> None:
        while self._asked:
            self._router.opened()
            self._asked.popleft()
        for joining, _ in self._coming.values():
            joining.socket.close()
