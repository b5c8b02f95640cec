"""The beginning of a media path from a router: as in the engine, bursts wait and leave in slices."""

from collections import deque
from typing import Any

from mediarouter.congestion._pacer import MediaPacer
from mediarouter.testing.sim.packet import MEDIA, PADDING
from mediarouter.testing.sim.sender import Sender


class RouterSender(Sender):
    """Sends by what an estimator says; arguments as `Sender`'s."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._pacer = MediaPacer(0)
        self._came_us: deque[int] = deque()  # of what waits

    def send(self, size: int) -> None:
        """A packet of media, when its turn comes."""
        now_us = self.clock.now_us
        self._pacer.set_target(self.estimator.target_bps)
        if not self._queue and not self._probes and self._pacer.is_free(now_us):
            self._pacer.on_sent(size, now_us)
            self._transmit(size, MEDIA, 0)
            return
        self._queue.append(size)
        self._queue_bytes += size
        self._came_us.append(now_us)
        if self._pump_us < 0:
            self._pump_at(self._media_due_us(now_us))

    def _pump_media(self, time_us: int) -> None:
        self._pacer.set_target(self.estimator.target_bps)
        while self._queue and self._pacer.is_due(self._came_us[0], time_us):
            self._send_waiting(0)

    def _media_due_us(self, time_us: int) -> int:
        return self._pacer.next_us(self._came_us[0], time_us)

    def _send_waiting(self, cluster: int) -> int:
        self._pacer.on_sent_waiting(self._queue[0], self._queue_bytes, self._came_us.popleft(), self.clock.now_us)
        return super()._send_waiting(cluster)

    def _transmit(self, size: int, kind: int, cluster: int) -> None:
        if kind == PADDING:
            self._pacer.on_sent(size, self.clock.now_us)
        super()._transmit(size, kind, cluster)
