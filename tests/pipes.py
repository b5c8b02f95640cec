"""Engines without threads that are joined by pipes, on one virtual clock."""

from typing import Any

from mediarouter import _pipe_commands
from tests.virtual import Call, Peer


class House:
    """Some calls, one clock: what one of them puts into a pipe is taken by the other at once.

    Args:
        count: engines.
        gather_us: as for `Call`.
    """

    def __init__(self, count: int = 2, *, gather_us: int = 0) -> None:
        self.now_us = 0
        self.calls: list[RoomCall] = []
        for _ in range(count):
            self.calls.append(RoomCall(self, gather_us))

    def settle(self) -> None:
        """Until nobody has anything in a pipe."""
        busy = True
        while busy:
            busy = False
            for call in self.calls:
                if (due_us := call.engine.poll_timeout()) is not None and due_us <= self.now_us:
                    call.engine.handle_timeout(self.now_us)
                    busy = True
        for call in self.calls:
            call.hand_out()

    def run(self, duration_us: int) -> None:
        """Let time pass for all."""
        end_us = self.now_us + duration_us
        while True:
            due = [d for d in (call.engine.poll_timeout() for call in self.calls) if d is not None]
            if not due or min(due) > end_us:
                break
            self.now_us = max(self.now_us, min(due))
            self.settle()
        self.now_us = end_us
        self.settle()


class RoomCall(Call):
    """A call of a house."""

    def __init__(self, house: House, gather_us: int) -> None:
        self.house = house
        super().__init__(gather_us)

    @property
    def now_us(self) -> int:  # type: ignore[override]
        return self.house.now_us

    @now_us.setter
    def now_us(self, value: int) -> None:
        self.house.now_us = value

    def hand_out(self) -> None:
        """To this engine's clients."""
        super().collect()

    def collect(self) -> None:
        """To all clients of the house."""
        self.house.settle()

    def run(self, duration_us: int) -> None:
        """Let time pass for all."""
        self.house.run(duration_us)


class Piped:
    """A producer of one engine and its copy in another.

    Args:
        publisher: who publishes.
        producer: handle of the original.
        far: the other engine's call.
        options: for `add_producer`, as the original was made.
        ends: of a pipe that is there already.
    """

    def __init__(
        self,
        publisher: Peer,
        producer: int,
        far: Call,
        *,
        rids: tuple[str, ...] = (),
        video: bool = True,
        ring_bytes: int = 1 << 18,
        ends: tuple[int, int] | None = None,
        **options: Any,
    ) -> None:
        near, self.far = publisher.call.engine, far.engine
        self.near = near
        self.original = producer
        self.ends = ends or _pipe_commands.connect(near, far.engine, ring_bytes)
        self.transport = far.engine.add_transport(1, b"cname")
        _pipe_commands.serve_transport(far.engine, self.transport, self.ends[1])
        far.engine.set_extensions(self.transport, {kind: kind for kind in (1, 2, 3, 4, 5, 6)})
        defaults: dict[str, Any] = {
            "clock_rate": 90000 if video else 48000,
            "codec": 1 if video else 0,
            "payload_type": 96 if video else 111,
            "rtx_payload_type": -1,
            "mid": b"",
            "nack": video,
            "use_fir": False,
            "paused": False,
        }
        self.copy = far.engine.add_producer(
            self.transport,
            video=video,
            encodings=[(rid.encode(), 0, 0) for rid in rids] or [(b"", 0, 0)],
            **defaults | options,
        )
        _pipe_commands.set_origin(far.engine, self.copy, producer)
        _pipe_commands.add_tap(near, producer, self.ends[0], self.copy)
        publisher.call.collect()

    def sent(self) -> dict[str, int]:
        """Figures of the near end."""
        return _pipe_commands.figures(self.near, self.ends[0])
