"""A worker: one engine thread with its sockets, commanded from the event loop that created it."""

import asyncio
import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mediarouter import _events
from mediarouter._engine import Engine
from mediarouter.errors import InvalidStateError
from mediarouter.events import Emitter
from mediarouter.net.addresses import candidates_of, parse_listen
from mediarouter.net.sockets import SocketPair, open_pair
from mediarouter.parameters import DEFAULT_CODECS, IceCandidate, RtpCodecCapability
from mediarouter.router import Router
from mediarouter.transports.base import Environment
from mediarouter.transports.dtls import DtlsCertificate
from mediarouter.transports.pipe import part

logger = logging.getLogger("mediarouter")

_workers: "weakref.WeakSet[Worker]" = weakref.WeakSet()


class Worker(Emitter):
    """One native engine thread with one UDP port and one TCP port for all its clients. Made by `Worker.create`.

    Use it as an async context manager, or call `close()`. All methods belong to the loop that created it.

    Events:
        close(): its routers are closed and the thread has ended.
    """

    events = frozenset({"close"})

    def __init__(
        self, pairs: Sequence[SocketPair], announce: Sequence[str], loop: asyncio.AbstractEventLoop, *, realtime: bool
    ) -> None:
        super().__init__()
        self.engine = Engine()
        self.certificate = DtlsCertificate.generate()
        self.routers: dict[str, Router] = {}
        self.pipes: dict[Environment, tuple[int, int]] = {}
        self.closed = False
        self.app_data: dict[str, Any] = {}
        self._loop = loop
        self._forked = False
        self._receivers: dict[tuple[str, int], Any] = {}
        self._candidates = candidates_of([(p.host, p.port, p.tcp is not None) for p in pairs], announce)
        self._listening = tuple((p.host, p.port) for p in pairs)
        self._recv_buffer_size = min(p.recv_buffer_size for p in pairs)
        for pair in pairs:
            self.engine.add_socket(pair.udp.detach(), pair.tcp.detach() if pair.tcp else -1, pair.recv_buffer_size)
        self._cpu_clock: int | None = None
        self._cpu_ns = 0
        self._thread = threading.Thread(target=self._run, args=(realtime,), name="mediarouter-engine", daemon=True)

    @classmethod
    async def create(
        cls,
        *,
        listen: str | Sequence[str] = "127.0.0.1:0",
        announce: Iterable[str] = (),
        tcp: bool = True,
        realtime: bool = True,
    ) -> "Worker":
        """Start a worker.

        Args:
            listen: "address:port", or several (IPv4 and IPv6); port 0 takes a free one. UDP and TCP share its number.
            announce: addresses clients shall use, when they differ from the bound ones (NAT).
            tcp: take ICE-TCP connections too (RFC 6544).
            realtime: let the engine thread run before ordinary threads where the system allows it (root, CAP_SYS_NICE
                or an `rtprio` limit), so that a busy machine delays no packet.

        Raises:
            ValueError: an address is malformed, or there are none or more than eight.
            OSError: a socket cannot be bound.
        """
        texts = [listen] if isinstance(listen, str) else list(listen)
        if not 1 <= len(texts) <= 8:
            raise ValueError("1 to 8 addresses to listen on")
        places = [parse_listen(text) for text in texts]
        pairs: list[SocketPair] = []
        try:
            for host, port in places:
                pairs.append(open_pair(host, port, tcp=tcp))
            worker = cls(pairs, tuple(announce), asyncio.get_running_loop(), realtime=realtime)
        except BaseException:
            for pair in pairs:
                pair.udp.close()
                if pair.tcp:
                    pair.tcp.close()
            raise
        worker._start()
        return worker

    def _start(self) -> None:
        _workers.add(self)
        self._thread.start()
        self._loop.add_reader(self.engine.event_fd, self._read_events)

    def _run(self, realtime: bool) -> None:
        self._cpu_clock = time.pthread_getcpuclockid(threading.get_ident())
        self.engine.run(realtime)

    @property
    def listening(self) -> tuple[tuple[str, int], ...]:
        """(address, port) of each UDP socket; TCP listens on the same."""
        return self._listening

    @property
    def port(self) -> int:
        """Of the first socket."""
        return self._listening[0][1]

    @property
    def recv_buffer_size(self) -> int:
        """Bytes of receive buffer the kernel granted, the least of all sockets."""
        return self._recv_buffer_size

    async def create_router(self, media_codecs: Iterable[RtpCodecCapability] = DEFAULT_CODECS) -> Router:
        """A new media domain.

        Args:
            media_codecs: what it takes, in order of preference.

        Raises:
            InvalidStateError: the worker is closed, or this is a forked process.
        """
        if self._forked:
            raise InvalidStateError("a worker cannot be used in a forked process: create one there")
        if self.closed:
            raise InvalidStateError("worker closed")
        router = Router(self, media_codecs, self._forget_router)
        self.routers[router.id] = router
        return router

    def _forget_router(self, router: Router) -> None:
        self.routers.pop(router.id, None)

    def counters(self) -> dict[str, int]:
        """Totals since the start, by name; what was refused is `dropped_<reason>`."""
        return dict(self.engine.counters())

    def cpu_ns(self) -> int:
        """Processor time that the engine thread has used, in nanoseconds, the kernel's on its behalf included; what it
        was at the last call once the worker is closed."""
        if self._cpu_clock is not None and not self.closed:
            self._cpu_ns = time.clock_gettime_ns(self._cpu_clock)
        return self._cpu_ns

    def latency_us(self, quantile: float) -> int:
        """How long a batch took inside, from the kernel's arrival stamp to the return of the last send call: an upper
        bound by powers of two for this share of the batches.

        Args:
            quantile: 0..1, such as 0.99.
        """
        counts = self.engine.latency()
        wanted = quantile * sum(counts)
        seen = 0
        for bucket, count in enumerate(counts):
            seen += count
            if count and seen >= wanted:
                return int(2 << bucket)
        return 0

    def close(self) -> None:
        """Close the routers, end the thread and wait for it. Closing twice is no error."""
        if self.closed or self._forked:
            return
        self.closed = True
        for router in tuple(self.routers.values()):
            router.close()
        part(self)
        if not self._loop.is_closed():
            self._loop.remove_reader(self.engine.event_fd)
        self.engine.stop()
        self._thread.join()
        self.engine.close_sockets()
        self.emit("close")

    async def __aenter__(self) -> "Worker":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    # ---- what transports need (`transports.base.Environment`)

    @property
    def ice_candidates(self) -> tuple[IceCandidate, ...]:
        """Where the sockets can be reached."""
        return self._candidates

    def random_number(self, bits: int) -> int:
        """From the system's generator."""
        return secrets.randbits(bits)

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Once, in the loop."""
        return self._loop.call_later(delay_us / 1_000_000, callback)

    def route(self, kind: str, handle: int, receiver: Any | None) -> None:
        """Bring events about a handle to an object."""
        if receiver is None:
            self._receivers.pop((kind, handle), None)
        else:
            self._receivers[kind, handle] = receiver

    def _read_events(self) -> None:
        try:
            os.read(self.engine.event_fd, 8)
        except BlockingIOError:
            return
        for kind, handle, a, b, payload in self.engine.read_events():
            try:
                self._deliver(kind, handle, a, b, payload)
            except Exception:
                logger.exception("an event of kind %d could not be handled", kind)

    def _deliver(self, kind: int, handle: int, a: int, b: int, payload: bytes) -> None:
        receiver = self._receivers.get((_RECEIVER_OF[kind], handle))
        if receiver is None:
            return  # closed meanwhile
        if kind == _events.DTLS:
            receiver._dtls_received(payload)
        elif kind == _events.ICE_SELECTED:
            receiver._ice_selected(payload)
        elif kind == _events.CONSENT_LOST:
            receiver._consent_lost()
        elif kind == _events.LAYERS:
            receiver._layers_changed(a, b)
        elif kind == _events.KEY_FRAME_ASKED:
            receiver.emit("key_frame_request", a)
        elif kind == _events.ENCODING_SEEN:
            receiver.emit("encoding_seen", a, b)
        elif kind == _events.WANTED:
            receiver._wanted_changed()


_RECEIVER_OF = {
    _events.DTLS: "transport",
    _events.ICE_SELECTED: "transport",
    _events.CONSENT_LOST: "transport",
    _events.ICE_RESTARTED: "transport",
    _events.LAYERS: "consumer",
    _events.KEY_FRAME_ASKED: "producer",
    _events.ENCODING_SEEN: "producer",
    _events.BYE: "producer",
    _events.WANTED: "producer",
}


def _after_fork() -> None:
    for worker in _workers:
        worker._forked = True


os.register_at_fork(after_in_child=_after_fork)
