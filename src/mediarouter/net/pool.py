"""Several workers, so that a service uses more than one core: where routers and transports are placed."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mediarouter.errors import InvalidStateError
from mediarouter.events import Emitter
from mediarouter.net.addresses import parse_listen
from mediarouter.net.worker import Worker
from mediarouter.parameters import DEFAULT_CODECS, RtpCodecCapability
from mediarouter.router import Router
from mediarouter.spanning import SpanningRouter
from mediarouter.transports.base import Timer
from mediarouter.transports.webrtc import WebRtcTransport

SAMPLE_INTERVAL_US = 1_000_000
MAX_WORKERS = 64
BUSY_STEP = 0.05  # workers closer than that are told apart by the next figure
PACKETS_STEP = 10_000
SPREAD_AT = 0.5  # a spanning router goes to one more worker when those it has are busier than that
ROUTER_SHARE = 0.02  # of a core: what a router placed just now is taken to cost until it is measured
TRANSPORT_SHARE = 0.002


@dataclass(frozen=True)
class WorkerLoad:
    """How much a worker has to do.

    Attributes:
        port: of its first socket.
        busy: share of one core that its engine thread used over the last second, 0..1.
        packets_per_second: RTP packets taken in and forwarded, over the same second.
        routers, transports: that are on it.
        draining: nothing new is placed there.
    """

    port: int
    busy: float
    packets_per_second: float
    routers: int
    transports: int
    draining: bool


class _Meter:
    """One worker's rates, from one sample to the next."""

    def __init__(self, worker: Worker, now_us: int) -> None:
        self.worker = worker
        self.draining = False
        self.busy = 0.0
        self.packets_per_second = 0.0
        self.promised = 0.0  # share of a core that was placed here since the last sample
        self._before = (now_us, worker.cpu_ns(), self._packets())

    def _packets(self) -> int:
        counters = self.worker.counters()
        return counters["rtp_packets_in"] + counters["rtp_packets_piped"] + counters["rtp_packets_forwarded"]

    def sample(self, now_us: int) -> None:
        """The rates since the last sample."""
        now = (now_us, self.worker.cpu_ns(), self._packets())
        elapsed_us = now[0] - self._before[0]
        if elapsed_us <= 0:
            return
        self.busy = min(1.0, (now[1] - self._before[1]) / 1000 / elapsed_us)
        self.packets_per_second = (now[2] - self._before[2]) * 1_000_000 / elapsed_us
        self.promised = 0.0
        self._before = now

    def load(self) -> WorkerLoad:
        """For people."""
        routers = self.worker.routers.values()
        transports = sum(len(router.transports) for router in routers)
        return WorkerLoad(self.worker.port, self.busy, self.packets_per_second, len(routers), transports, self.draining)

    @property
    def expected(self) -> float:
        """Share of a core, with what was placed since it was measured."""
        return self.busy + self.promised

    def rank(self) -> tuple[int, int, int, int]:
        """The least is the least loaded."""
        load = self.load()
        steps = (int(self.expected / BUSY_STEP), int(self.packets_per_second / PACKETS_STEP))
        return (*steps, load.routers, load.transports)


class WorkerPool(Emitter):
    """Workers of one process, each with an engine thread and ports of its own. Made by `WorkerPool.create`.

    Use it as an async context manager, or call `close()`. All methods belong to the loop that created it.

    A client's transport is known to the thread whose port it was told, so each worker has its own: a firewall opens as
    many in a row as there are workers.

    Events:
        close(): its workers are closed.
    """

    events = frozenset({"close"})

    def __init__(self, workers: Sequence[Worker], now_us: Callable[[], int]) -> None:
        super().__init__()
        self.workers = tuple(workers)
        self.closed = False
        self.app_data: dict[str, Any] = {}
        self._now_us = now_us
        self._meters = {worker: _Meter(worker, now_us()) for worker in workers}
        self._spanning: set[SpanningRouter] = set()
        self._timer: Timer = workers[0].call_later(SAMPLE_INTERVAL_US, self._sample)

    @classmethod
    async def create(
        cls,
        *,
        listen: str | Sequence[str] = "127.0.0.1:0",
        workers: int | None = None,
        announce: Iterable[str] = (),
        tcp: bool = True,
        realtime: bool = True,
    ) -> "WorkerPool":
        """Start the workers.

        Args:
            listen: as for `Worker.create`, for the first worker. The next ones take the ports that follow, each address
                one a worker; with port 0 all take free ones.
            workers: how many, 1..64; by default as many as this process may use processors. The loop that runs Python
                needs a share of one too.
            announce, tcp, realtime: as for `Worker.create`, of each.

        Raises:
            ValueError: an address is malformed, a number out of range, or the ports of two addresses overlap.
            OSError: a socket cannot be bound.
        """
        count = len(os.sched_getaffinity(0)) if workers is None else workers
        if not 1 <= count <= MAX_WORKERS:
            raise ValueError(f"{count} workers where 1 to {MAX_WORKERS} can be")
        places = _places([listen] if isinstance(listen, str) else list(listen), count)
        announced = tuple(announce)
        started: list[Worker] = []
        try:
            for place in places:
                started.append(await Worker.create(listen=place, announce=announced, tcp=tcp, realtime=realtime))
        except BaseException:
            for worker in started:
                worker.close()
            raise
        loop = started[0]._loop
        return cls(started, lambda: int(loop.time() * 1_000_000))

    @property
    def listening(self) -> tuple[tuple[str, int], ...]:
        """(address, port) of each UDP socket of each worker; TCP listens on the same."""
        return tuple(place for worker in self.workers for place in worker.listening)

    async def create_router(self, media_codecs: Iterable[RtpCodecCapability] = DEFAULT_CODECS) -> Router:
        """A new media domain on the least loaded worker, where it stays.

        Args:
            media_codecs: what it takes, in order of preference.

        Raises:
            InvalidStateError: the pool is closed, or all its workers are draining.
        """
        return await self._router_on(min(self._open(), key=_Meter.rank), media_codecs)

    async def create_spanning_router(
        self, media_codecs: Iterable[RtpCodecCapability] = DEFAULT_CODECS, *, members: int = 1
    ) -> SpanningRouter:
        """A new media domain that may grow beyond one worker.

        It begins on the least loaded ones. Each new transport goes to the least loaded member; when all of them use
        more than half a core and another worker is less busy, it becomes a member.

        Args:
            media_codecs: what it takes, in order of preference.
            members: on how many workers it begins, 1.. the number of workers.

        Raises:
            InvalidStateError: the pool is closed, or too few workers are not draining.
            ValueError: members out of range.
        """
        if not 1 <= members <= len(self.workers):
            raise ValueError(f"{members} members where the pool has {len(self.workers)} workers")
        codecs = tuple(media_codecs)
        meters = sorted(self._open(), key=_Meter.rank)[:members]
        if len(meters) < members:
            raise InvalidStateError(f"{len(meters)} workers take something new, not {members}")

        async def place(routers: tuple[Router, ...]) -> Router:
            return await self._place(routers, codecs)

        spanning = SpanningRouter(await self._router_on(meters[0], codecs), place, self._spanning.discard)
        self._spanning.add(spanning)
        for meter in meters[1:]:
            spanning._add(await self._router_on(meter, codecs))
        return spanning

    def stats(self) -> tuple[WorkerLoad, ...]:
        """The load of each worker, in their order."""
        return tuple(meter.load() for meter in self._meters.values())

    def counters(self) -> dict[str, int]:
        """Totals of all workers since the start, by name, as `Worker.counters`."""
        totals: dict[str, int] = {}
        for worker in self.workers:
            for name, value in worker.counters().items():
                totals[name] = totals.get(name, 0) + value
        return totals

    def drain(self, worker: Worker) -> tuple[WebRtcTransport, ...]:
        """Place nothing new on this worker.

        What is there goes on. A transport cannot move: its keys are in the worker's memory and its client sends to the
        worker's port. Have its client connect anew, to another transport of the same spanning router, or of a new
        router of the pool; then close the old one. When none are left, the worker has nothing to do.

        Returns:
            The transports on it, whose clients have to be told.

        Raises:
            ValueError: the worker is not of this pool.
        """
        self._meter_of(worker).draining = True
        return tuple(t for router in worker.routers.values() for t in router.transports.values())

    def undrain(self, worker: Worker) -> None:
        """Place new things on it again.

        Raises:
            ValueError: the worker is not of this pool.
        """
        self._meter_of(worker).draining = False

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> Timer:
        """Once, in the loop."""
        return self.workers[0].call_later(delay_us, callback)

    def close(self) -> None:
        """Close the workers and all on them. Closing twice is no error."""
        if self.closed:
            return
        self.closed = True
        self._timer.cancel()
        for spanning in tuple(self._spanning):
            spanning.close()
        for worker in self.workers:
            worker.close()
        self.emit("close")

    async def __aenter__(self) -> "WorkerPool":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    # ---- inside

    def _sample(self) -> None:
        now_us = self._now_us()
        for meter in self._meters.values():
            meter.sample(now_us)
        self._timer = self.call_later(SAMPLE_INTERVAL_US, self._sample)

    def _open(self) -> list[_Meter]:
        if self.closed:
            raise InvalidStateError("pool closed")
        meters = [m for m in self._meters.values() if not m.draining and not m.worker.closed]
        if not meters:
            raise InvalidStateError("all workers are draining")
        return meters

    def _meter_of(self, worker: Worker) -> _Meter:
        if worker not in self._meters:
            raise ValueError("the worker is not of this pool")
        return self._meters[worker]

    async def _router_on(self, meter: _Meter, media_codecs: Iterable[RtpCodecCapability]) -> Router:
        router = await meter.worker.create_router(media_codecs)
        meter.promised += ROUTER_SHARE
        return router

    async def _place(self, routers: tuple[Router, ...], media_codecs: Iterable[RtpCodecCapability]) -> Router:
        # for a new transport of a spanning router with these members
        members = {router._environment: router for router in routers}
        meters = sorted(self._open(), key=_Meter.rank)
        inside = [meter for meter in meters if meter.worker in members]
        outside = [meter for meter in meters if meter.worker not in members]
        chosen = inside[0] if inside else outside[0]
        if inside and outside and inside[0].expected > SPREAD_AT and outside[0].rank() < inside[0].rank():
            chosen = outside[0]
        chosen.promised += TRANSPORT_SHARE
        return members.get(chosen.worker) or await self._router_on(chosen, media_codecs)


def _places(listen: list[str], count: int) -> list[list[str]]:
    """What each worker listens on.

    Raises:
        ValueError: ports beyond the last, or one that two would take.
    """
    parsed = [parse_listen(text) for text in listen]
    taken: set[tuple[str, int]] = set()
    places: list[list[str]] = []
    for index in range(count):
        texts = []
        for host, port in parsed:
            number = port + index if port else 0
            if number > 65535:
                raise ValueError(f"{count} workers cannot take ports from {port} on: there is no port {number}")
            if number and (host, number) in taken:
                raise ValueError(f"{count} workers cannot take ports from {port} on: {number} is another address's")
            taken.add((host, number))
            texts.append(f"[{host}]:{number}" if ":" in host else f"{host}:{number}")
        places.append(texts)
    return places
