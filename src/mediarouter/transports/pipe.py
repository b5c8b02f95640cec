"""A pipe transport: what one router's transports produce, brought to another router of this process.

The packets cross by a ring in memory, as they were taken in: decrypted and counted, without a socket, a key or a lock
(`_pipe.pxd`). Two workers have one ring each way, for all their routers. On the other side each producer is a copy with
the same id, and everything a router does with a producer works there: layers, retransmissions from a slab of its own,
key frames, lip synchronisation.
"""

from typing import TYPE_CHECKING, Any, Protocol

from mediarouter import _pipe_commands
from mediarouter.codecs._codec import kind_of
from mediarouter.errors import InvalidStateError
from mediarouter.events import Emitter
from mediarouter.ortc import has_feedback, media_codec
from mediarouter.parameters import EXTENSION_KINDS, RtpEncodingParameters
from mediarouter.producer import Producer
from mediarouter.transports.base import Environment, random_id, random_ssrc

if TYPE_CHECKING:
    from mediarouter.router import Router


class Owner(Protocol):
    """What a producer came by."""

    @property
    def cname(self) -> str:
        """Of the participant (RFC 3550 6.5.1)."""


class _Mirror:
    """A transport of the other router, as the engine here sees it: one CNAME, one set of header-extension ids."""

    def __init__(self, handle: int, cname: str) -> None:
        self.handle = handle
        self.cname = cname
        self.extensions: dict[int, int] = {}
        self.producers = 0


class PipeTransport(Emitter):
    """One of the two ends of a pipe between two routers, made by `Router.pipe_to_router`; it carries both ways.

    Events:
        close(): the copies that came by it are closed, here and at the other end.
    """

    events = frozenset({"close"})

    def __init__(self, router: "Router", environment: Environment, end: int) -> None:
        super().__init__()
        self._router = router
        self._environment = environment
        self._engine = environment.engine
        self._end = end
        self._peer: PipeTransport | None = None
        self._mirrors: dict[Owner, _Mirror] = {}
        self.id = random_id(environment)
        self.closed = False
        self.producers: dict[str, Producer] = {}
        self.app_data: dict[str, Any] = {}

    @property
    def peer(self) -> "PipeTransport":
        """The other end."""
        assert self._peer is not None
        return self._peer

    @property
    def router(self) -> "Router":
        """Whose end this is."""
        return self._router

    def stats(self) -> dict[str, int]:
        """Counts of the rings between the two workers, which all pipes between them share, since they were laid.

        `packets_sent` from here, `packets_received` here, `packets_refused` (the ring was full; video among them is
        asked for again), `wakes` of the other engine.

        Raises:
            InvalidStateError: the pipe is closed.
        """
        if self.closed:
            raise InvalidStateError("pipe closed")
        return dict(_pipe_commands.figures(self._engine, self._end))

    def close(self) -> None:
        """Close both ends and the copies that came by them. Closing twice is no error."""
        for end in (self, self.peer):
            end._close()

    def _close(self) -> None:
        if self.closed:
            return
        self.closed = True
        for producer in tuple(self.producers.values()):
            producer.close()
        self._router._forget_pipe(self)
        self.emit("close")

    # ---- inside

    def _send(self, producer: Producer, owner: Owner) -> Producer:
        # a producer of this router, to the other one
        copy = self.peer._receive(producer, owner)
        try:
            _pipe_commands.add_tap(self._engine, producer._handle, self._end, copy._handle)
        except BaseException:
            copy.close()
            raise
        leashes = (
            producer.on("pause", lambda: copy._set_paused(True)),
            producer.on("resume", lambda: copy._set_paused(False)),
            producer.on("close", copy.close),
        )

        def end() -> None:
            for leash in leashes:
                leash()
            _pipe_commands.remove_tap(self._engine, producer._handle, self._end)

        copy.on("close", end)
        return copy

    def _receive(self, original: Producer, owner: Owner) -> Producer:
        mirror = self._mirror_of(owner)
        parameters = original.rtp_parameters
        mirror.extensions |= {
            e.id: EXTENSION_KINDS[e.uri] for e in parameters.header_extensions if e.uri in EXTENSION_KINDS
        }
        self._engine.set_extensions(mirror.handle, mirror.extensions)
        codec = media_codec(parameters)
        handle = self._engine.add_producer(
            mirror.handle,
            video=original.kind == "video",
            clock_rate=codec.clock_rate,
            codec=kind_of(codec.mime_type),
            payload_type=codec.payload_type,
            rtx_payload_type=-1,
            mid=b"",
            nack=has_feedback(codec, "nack"),
            use_fir=False,
            paused=original.paused,
            encodings=[((e.rid or "").encode(), 0, 0) for e in parameters.encodings or (RtpEncodingParameters(),)],
        )
        _pipe_commands.set_origin(self._engine, handle, original._handle)
        copy = Producer(
            engine=self._engine,
            handle=handle,
            id=original.id,
            kind=original.kind,
            rtp_parameters=parameters,
            paused=original.paused,
        )
        mirror.producers += 1
        self.producers[copy.id] = copy
        self._environment.route("producer", handle, copy)
        copy.on("close", lambda: self._forget(copy, owner))
        self._router._add_producer(copy, mirror)
        return copy

    def _mirror_of(self, owner: Owner) -> _Mirror:
        mirror = self._mirrors.get(owner)
        if mirror is None:
            handle = self._engine.add_transport(random_ssrc(self._environment), owner.cname.encode())
            _pipe_commands.serve_transport(self._engine, handle, self._end)
            mirror = self._mirrors[owner] = _Mirror(handle, owner.cname)
        return mirror

    def _forget(self, copy: Producer, owner: Owner) -> None:
        self.producers.pop(copy.id, None)
        self._environment.route("producer", copy._handle, None)
        self._router._forget_producer(copy)
        mirror = self._mirrors[owner]
        mirror.producers -= 1
        if mirror.producers == 0:
            self._engine.remove_transport(mirror.handle)
            del self._mirrors[owner]


def _join(near: Environment, far: Environment) -> tuple[int, int]:
    # the ends of the rings between two workers, which may be one and the same
    if far not in near.pipes:
        here, there = _pipe_commands.connect(near.engine, far.engine)
        far.pipes[near] = there, here
        near.pipes[far] = here, there
    return near.pipes[far]


def part(environment: Environment) -> None:
    """Take the pipes of a worker down that closes; its routers have been closed."""
    for other, (here, there) in tuple(environment.pipes.items()):
        _pipe_commands.close(environment.engine, here)
        _pipe_commands.close(other.engine, there)
        other.pipes.pop(environment, None)
    environment.pipes.clear()


def lay_pipe(near: "Router", far: "Router") -> PipeTransport:
    """A pipe between two routers; its end at the first one."""
    ends = _join(near._environment, far._environment)
    here = PipeTransport(near, near._environment, ends[0])
    there = PipeTransport(far, far._environment, ends[1])
    here._peer, there._peer = there, here
    return here
