"""A congestion controller of one's own: it holds the network's queue at some 20 ms, by the delay of each packet.

    mediarouter bench congestion --estimator examples/delay_controller.py:DelayController

It knows when each packet left; the report tells when it came. What a packet took beyond the fastest of the last ten
seconds, it waited in a queue. Each report moves the target: up while the queue is shorter than it may be, at most to
half as much again as arrives, and down in proportion where it is longer. That keeps queues short, and starts slowly:
probes, losses and missing feedback are left to the library's own estimator.
"""

from collections import deque

from typing_extensions import Buffer

from mediarouter.congestion import Controller
from mediarouter.rtcp import RtcpError, Twcc, parse

QUEUE_US = 20_000  # what may wait
GROWTH = 0.5  # a second, while nothing waits
FALL = 0.15  # at once at the most, each 100 ms at the most
PATIENCE_US = 100_000
WINDOW_US = 500_000  # over which arrivals are counted
BASE_US = 10_000_000  # over which the fastest packet is looked for
HISTORY = 8192  # packets whose time of leaving is kept


class DelayController(Controller):
    """Holds the queue of the bottleneck at `QUEUE_US`."""

    def __init__(self, start_bps: int, min_bps: int, max_bps: int, now_us: int = 0) -> None:
        self._target = float(start_bps)
        self._min_bps, self._max_bps = min_bps, max_bps
        self._sent: dict[int, tuple[int, int]] = {}  # number: when it left, and its bytes
        self._fastest: deque[tuple[int, int]] = deque()  # of times, rising: when it left, and what it took
        self._arrived: deque[tuple[int, int]] = deque()  # when, and bytes
        self._moved_us = self._fell_us = now_us

    @property
    def target_bps(self) -> int:
        return int(self._target)

    @property
    def acked_bps(self) -> int | None:
        if len(self._arrived) < 10:
            return None
        span_us = max(self._arrived[-1][0] - self._arrived[0][0], 1)
        return sum(size for _, size in list(self._arrived)[1:]) * 8_000_000 // span_us

    def on_packet_sent(
        self, seq: int, size: int, now_us: int, probe_cluster: int = 0, *, ssrc: int | None = None, rtp_seq: int = 0
    ) -> None:
        self._sent[seq & 0xFFFF] = now_us, size
        if len(self._sent) > HISTORY:
            del self._sent[next(iter(self._sent))]

    def on_feedback(self, rtcp: Buffer, now_us: int) -> int:
        try:
            reports = [packet for packet in parse(bytes(rtcp)) if isinstance(packet, Twcc)]
        except RtcpError:
            return 0  # the network's fault, and nobody's error
        waits_us = [wait for report in reports for wait in self._waits(report)]
        if waits_us:
            self._move(sorted(waits_us)[len(waits_us) // 2], now_us)
        return len(waits_us)

    def _waits(self, report: Twcc) -> list[int]:
        """How long each packet waited that the report tells of anew."""
        waits_us = []
        for seq, arrival_us in report.arrivals:
            if arrival_us is None or seq not in self._sent:
                continue
            sent_us, size = self._sent.pop(seq)
            took_us = arrival_us - sent_us  # by two clocks: only differences tell
            while self._fastest and self._fastest[-1][1] >= took_us:
                self._fastest.pop()
            self._fastest.append((sent_us, took_us))
            while self._fastest[0][0] < sent_us - BASE_US:
                self._fastest.popleft()
            waits_us.append(took_us - self._fastest[0][1])
            self._arrived.append((arrival_us, size))
            while self._arrived[0][0] < arrival_us - WINDOW_US:
                self._arrived.popleft()
        return waits_us

    def _move(self, wait_us: int, now_us: int) -> None:
        elapsed_us, self._moved_us = now_us - self._moved_us, now_us
        acked_bps = self.acked_bps
        excess = wait_us / QUEUE_US - 1  # -1: nothing waits
        if excess <= 0:
            grown = self._target * (1 - GROWTH * excess * min(elapsed_us, 1_000_000) / 1_000_000)
            most = self._target if acked_bps is None else 1.5 * acked_bps
            self._target = max(self._target, min(grown, most))
        elif now_us - self._fell_us >= PATIENCE_US:
            self._fell_us = now_us
            base = self._target if acked_bps is None else min(self._target, acked_bps)
            self._target = base * (1 - min(FALL * excess, FALL))
        self._target = min(max(self._target, self._min_bps), self._max_bps)
