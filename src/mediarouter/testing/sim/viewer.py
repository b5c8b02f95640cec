"""A viewer of an SFU: it gets of each stream the layer that fits, switched at key frames, and audio in any case."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediarouter.testing.sim.allocation import Allocate, Layer, Stream, rate_of
from mediarouter.testing.sim.encoder import split
from mediarouter.testing.sim.packet import OVERHEAD_BYTES
from mediarouter.testing.sim.publisher import Publisher, SimulcastPlan
from mediarouter.testing.sim.schedule import SECOND_US
from mediarouter.testing.sim.sender import Sender

AUDIO_INTERVAL_US = 20_000
ALLOCATION_INTERVAL_US = 100_000


@dataclass(frozen=True)
class ViewerPlan:
    """A viewer as a scenario describes it.

    Args:
        streams: what is watched.
        start_bps: what the estimator begins with.
        min_bps: its least.
        limit_bps: its most.
        audio_streams: each a packet every 20 ms.
        audio_bytes: of a packet, without the network's headers.
        access_delay_ms: a distance of this viewer alone.
        begins_s: when the viewer comes.
    """

    streams: tuple[SimulcastPlan, ...]
    start_bps: int = 600_000
    min_bps: int = 30_000
    limit_bps: int = 50_000_000
    audio_streams: int = 1
    audio_bytes: int = 80
    access_delay_ms: float = 0.0
    begins_s: float = 0.0
    clock_offset_s: float = 0.0
    backwards: bool = False

    @property
    def audio_bps(self) -> int:
        """What audio takes on the wire."""
        return self.audio_streams * (self.audio_bytes + OVERHEAD_BYTES) * 8 * SECOND_US // AUDIO_INTERVAL_US


class Viewer:
    """The viewer at work.

    While a step down waits for its key frame, only the lowest temporal layer of the old picture goes; while a step up
    waits, the old one goes on as it was.
    """

    def __init__(self, plan: ViewerPlan, sender: Sender, publishers: Sequence[Publisher], allocate: Allocate) -> None:
        self._plan = plan
        self._allocator = allocate
        self._sender = sender
        self._publishers = publishers
        self._rates = [stream.layer_rates_bps for stream in plan.streams]
        self._current: list[Layer] = [None] * len(plan.streams)
        self._targets: Sequence[Layer] = [None] * len(plan.streams)
        self._allocated_bps = -1
        sender.on_step = self._on_step
        sender.step()
        for number, publisher in enumerate(publishers):
            publisher.add(self, number)
        if plan.audio_streams:
            self._audio(None)
        self._tick(None)

    def on_frame(self, stream: int, publisher: Publisher) -> None:
        """Forward the frame of now, if it is of the layer that goes."""
        target, current = self._targets[stream], self._current[stream]
        layer = self._next_layer(target, current, publisher)
        if layer != current:
            self._current[stream] = layer
            rate_bps = self._rates[stream][layer[0]][layer[1]] if layer else 0
            self._sender.trace.note_layer(self._sender.clock.now_us, stream, layer, rate_bps)
        if layer is not None and publisher.temporal <= layer[1]:
            for size in split(publisher.size_of(layer[0])):
                self._sender.send(size)

    @staticmethod
    def _next_layer(target: Layer, current: Layer, publisher: Publisher) -> Layer:
        if target is None or (current is not None and current[0] == target[0]):
            return target
        if publisher.is_key(target[0]):
            return target
        publisher.ask_key_frame(target[0])
        return current if current is None or current[0] < target[0] else (current[0], 0)

    def _on_step(self) -> None:
        if self._budget_bps() != self._allocated_bps:
            self._allocate()
            self._sender.clock.call_at(self._sender.clock.now_us, self._sender.step)  # the demand is another

    def _budget_bps(self) -> int:
        return max(self._sender.estimator.budget_bps - self._plan.audio_bps, 0)

    def _allocate(self) -> None:
        now_us = self._sender.clock.now_us
        self._allocated_bps = self._budget_bps()
        streams = [
            Stream(rates, plan.wanted.at(now_us), current, plan.priority)
            for rates, plan, current in zip(self._rates, self._plan.streams, self._current, strict=True)
        ]
        self._targets, demand_bps = self._allocator(now_us, self._allocated_bps, streams)
        in_use_bps = sum(rate_of(stream, layer) for stream, layer in zip(streams, self._targets, strict=True))
        self._sender.trace.note_wanted(now_us, in_use_bps)
        audio_bps = self._plan.audio_bps
        self._sender.estimator.set_demand(demand_bps + audio_bps, in_use_bps + audio_bps)

    def _tick(self, _: None) -> None:
        self._allocate()
        self._sender.step()
        self._sender.clock.call_at(self._sender.clock.now_us + ALLOCATION_INTERVAL_US, self._tick)

    def _audio(self, _: None) -> None:
        for _stream in range(self._plan.audio_streams):
            self._sender.send_now(self._plan.audio_bytes + OVERHEAD_BYTES)
        self._sender.clock.call_at(self._sender.clock.now_us + AUDIO_INTERVAL_US, self._audio)
