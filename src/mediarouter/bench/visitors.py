"""Clients who come to a meeting, stay for a while and go, one after the other without end."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mediarouter.bench.clients import Client, Joined
from mediarouter.bench.load import audio_load
from mediarouter.bench.router_under_test import RouterProcess
from mediarouter.transports.dtls import DtlsCertificate

STAY_S = 5.0
UNTOLD_S = 3.0  # after which the service finds out about who went without a word
SMALL_BUFFER = 1 << 16


class Visitors:
    """They watch what is there and offer a microphone. Every other one goes without a word: its socket is closed, and
    the router goes on sending until it is told.

    Args:
        producers: what each of them gets.
        per_second: how many come, and go.

    Attributes:
        came: how many have.
    """

    def __init__(
        self, router: RouterProcess, certificate: DtlsCertificate, producers: Sequence[int], per_second: float
    ) -> None:
        self._router = router
        self._certificate = certificate
        self._producers = producers
        self._interval_s = 1 / per_second
        self._here: deque[tuple[float, int, Joined]] = deque()
        self._gone: deque[tuple[float, int]] = deque()
        self._silently = False
        self.came = 0

    def run(self, seconds: float, look: Callable[[float], object]) -> None:
        """Let them come and go for so long; who is still there then goes.

        Args:
            look: called after each, with the seconds that have passed.
        """
        began_s = time.monotonic()
        try:
            while (passed_s := time.monotonic() - began_s) < seconds:
                self._come(passed_s)
                self._go(passed_s)
                look(passed_s)
                time.sleep(max(0.0, began_s + self.came * self._interval_s - time.monotonic()))
            self._go(seconds + STAY_S)
            self._go(seconds + STAY_S + UNTOLD_S)
        finally:
            for _, _, joined in self._here:
                joined.socket.close()

    def _come(self, now_s: float) -> None:
        client = Client(self._certificate)
        opened = self._router.open(client)
        joined = client.join(opened.ice, opened.candidates, opened.dtls, receive_buffer=SMALL_BUFFER)
        self._here.append((now_s, opened.transport, joined))
        self._router.consume(opened.transport, self._producers)
        self._router.produce(opened.transport, audio_load(publishers=1, subscribers=0), self.came)
        self.came += 1

    def _go(self, now_s: float) -> None:
        told: list[int] = []
        while self._here and self._here[0][0] <= now_s - STAY_S:
            _, transport, joined = self._here.popleft()
            joined.socket.close()
            if self._silently:
                self._gone.append((now_s, transport))
            else:
                told.append(transport)
            self._silently = not self._silently
        while self._gone and self._gone[0][0] <= now_s - UNTOLD_S:
            told.append(self._gone.popleft()[1])
        if told:
            self._router.leave(told)


def staying(figures: dict[str, Any]) -> bool:
    """Whether anything is left of anybody, by `RouterProcess.sample`."""
    return any(figures["rows"].values())
