"""One media source entering a router."""

from typing import Any

from mediarouter import _uplink_commands
from mediarouter._engine import Engine
from mediarouter.consumer import Consumer
from mediarouter.errors import InvalidStateError
from mediarouter.events import Emitter
from mediarouter.parameters import RtpEncodingParameters, RtpParameters, WantedLayer

ALL = 127


class Producer(Emitter):
    """A microphone, a camera, a screen. Made by `WebRtcTransport.produce`, or a copy in another router, made by
    `Router.pipe_to_router`.

    Events:
        unwatched(): its last consumer is gone.
        key_frame_request(encoding): the publisher is asked for a key frame of that encoding.
        encoding_seen(encoding, ssrc): the first packet of an encoding came.
        wanted_layers(layers): what is of use of it has changed, as the property of that name has it. Tell the client:
            what is not active it need not send, what is again shall be back soon.
        pause(), resume(): by the calls of that name.
        close(): nothing is taken any more, its consumers are closed.
    """

    events = frozenset({"unwatched", "key_frame_request", "encoding_seen", "wanted_layers", "pause", "resume", "close"})

    def __init__(
        self, *, engine: Engine, handle: int, id: str, kind: str, rtp_parameters: RtpParameters, paused: bool
    ) -> None:
        super().__init__()
        self._engine = engine
        self._handle = handle
        self._paused = paused
        self._consumers: dict[int, Consumer] = {}
        self._told_layers: tuple[WantedLayer, ...] | None = None
        self.id = id
        self.kind = kind
        self.rtp_parameters = rtp_parameters
        self.closed = False
        self.app_data: dict[str, Any] = {}

    @property
    def paused(self) -> bool:
        """What comes in is not passed on."""
        return self._paused

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """Its copies."""
        return tuple(self._consumers.values())

    @property
    def wanted_layers(self) -> tuple[WantedLayer, ...]:
        """What is of use of it, by encoding from the lowest: everything at first and while it is not known better.

        An encoding is of use while a consumer that is not paused prefers it, or a better one, and its network could
        carry it now or within seconds; copies in other routers count with their consumers. A better wish shows at
        once, less when it has been so for three seconds. The lowest encoding is of use until nobody takes the producer
        at all, or it is paused: then a client may stop sending. Audio goes by the same rule; a service that looks at
        audio levels without consuming must not forward it.
        """
        encodings = self.rtp_parameters.encodings or (RtpEncodingParameters(),)
        told = [-1] * len(encodings) if self.closed else _uplink_commands.wanted_layers(self._engine, self._handle)
        return tuple(
            WantedLayer(encoding.rid, highest >= 0, None if highest < 0 or highest == ALL else highest)
            for encoding, highest in zip(encodings, told, strict=True)
        )

    async def pause(self) -> None:
        """Pass nothing on until `resume()`; consumers hear of it."""
        self._must_be_open()
        self._set_paused(True)

    async def resume(self) -> None:
        """Pass packets on again; video goes on with a key frame."""
        self._must_be_open()
        self._set_paused(False)

    def stats(self) -> list[dict[str, Any]]:
        """Figures of now, one dict for each encoding: rid, ssrc, packets, recovered, nacks_sent, bitrate_bps, ...

        Raises:
            InvalidStateError: the producer is closed.
        """
        self._must_be_open()
        return list(self._engine.producer_figures(self._handle))

    def close(self) -> None:
        """Take nothing any more, close the consumers. Closing twice is no error."""
        if self.closed:
            return
        self.closed = True
        for consumer in self.consumers:
            consumer._producer_closed()
        self._engine.remove_producer(self._handle)
        self.emit("close")

    def _forget_consumer(self, handle: int) -> None:
        if self._consumers.pop(handle, None) and not self._consumers and not self.closed:
            self.emit("unwatched")

    def _wanted_changed(self) -> None:
        # what has changed twice before this is read may be as it was
        layers = self.wanted_layers
        if layers != self._told_layers:
            self._told_layers = layers
            self.emit("wanted_layers", layers)

    def _set_paused(self, paused: bool) -> None:
        if paused == self._paused:
            return
        self._engine.pause_producer(self._handle, paused)
        self._paused = paused
        what = "pause" if paused else "resume"
        self.emit(what)
        for consumer in self.consumers:
            consumer.emit(f"producer_{what}")

    def _must_be_open(self) -> None:
        if self.closed:
            raise InvalidStateError("producer closed")
