"""One copy of a producer, leaving for one receiver."""

from typing import TYPE_CHECKING, Any

from mediarouter import _downlink_commands
from mediarouter._engine import Engine
from mediarouter.congestion.allocation import StreamClass
from mediarouter.errors import InvalidStateError
from mediarouter.events import Emitter
from mediarouter.parameters import RtpParameters

if TYPE_CHECKING:
    from mediarouter.producer import Producer

BEST = 127
MAX_SPATIAL_LAYER = 3
MAX_TEMPORAL_LAYER = 7


class Consumer(Emitter):
    """What one receiver gets of one producer. Made by `WebRtcTransport.consume`.

    Events:
        layers_change(layers): another layer is sent now, as (spatial, temporal).
        producer_pause(), producer_resume(): the source was paused or goes on.
        producer_close(): the source is gone; the consumer closes right after.
        close(): nothing is sent any more.
    """

    events = frozenset({"layers_change", "producer_pause", "producer_resume", "producer_close", "close"})

    def __init__(
        self, *, engine: Engine, handle: int, id: str, producer: "Producer", rtp_parameters: RtpParameters, paused: bool
    ) -> None:
        super().__init__()
        self._engine = engine
        self._handle = handle
        self._producer = producer
        self._paused = paused
        self._preferred_layers = (BEST, BEST)
        self._priority = 1
        self._stream_class = StreamClass.GRID if producer.kind == "video" else StreamClass.AUDIO
        self.id = id
        self.rtp_parameters = rtp_parameters
        self.closed = False
        self.app_data: dict[str, Any] = {}

    @property
    def producer_id(self) -> str:
        """Of the producer this is a copy of."""
        return self._producer.id

    @property
    def kind(self) -> str:
        """ "audio" or "video"."""
        return self._producer.kind

    @property
    def paused(self) -> bool:
        """Paused by its own `pause()`; a paused producer does not show here."""
        return self._paused

    @property
    def producer_paused(self) -> bool:
        """The source is paused."""
        return self._producer.paused

    @property
    def priority(self) -> int:
        """1..255: which consumers of a transport come first when its network cannot carry all, inside their class."""
        return self._priority

    @property
    def stream_class(self) -> StreamClass:
        """What it is to its viewer: AUDIO, or SCREEN, PINNED, SPEAKER or GRID, the first of which comes first."""
        return self._stream_class

    @property
    def preferred_layers(self) -> tuple[int | None, int | None]:
        """(spatial, temporal) asked for; None: the best there is."""
        spatial, temporal = self._preferred_layers
        return (None if spatial == BEST else spatial, None if temporal == BEST else temporal)

    @property
    def current_layers(self) -> tuple[int, int | None] | None:
        """(spatial, temporal) being sent, None before the first packet; temporal None: all of them."""
        if self.closed:
            return None
        spatial, temporal = self._engine.consumer_figures(self._handle)["current_layers"]
        return None if spatial < 0 else (spatial, None if temporal == BEST else temporal)

    async def pause(self) -> None:
        """Send nothing until `resume()`."""
        self._must_be_open()
        self._engine.pause_consumer(self._handle, True)
        self._paused = True

    async def resume(self) -> None:
        """Send again; video begins with a key frame, which the publisher is asked for."""
        self._must_be_open()
        self._engine.pause_consumer(self._handle, False)
        self._paused = False

    async def set_preferred_layers(self, spatial: int | None, temporal: int | None = None) -> None:
        """Choose what shall be sent where it is there: the highest layers not above these, else the lowest.

        Args:
            spatial: 0..3, the index of the simulcast encoding from the lowest; None the best.
            temporal: 0..7; None the best.

        Raises:
            ValueError: a layer out of range.
            InvalidStateError: the consumer is closed.
        """
        self._must_be_open()
        wanted = (_layer(spatial, MAX_SPATIAL_LAYER, "spatial"), _layer(temporal, MAX_TEMPORAL_LAYER, "temporal"))
        self._engine.set_preferred_layers(self._handle, *wanted)
        self._preferred_layers = wanted

    async def set_priority(self, priority: int) -> None:
        """Set `priority`, 1..255.

        Raises:
            ValueError: out of range.
            InvalidStateError: the consumer is closed.
        """
        self._must_be_open()
        if not 1 <= priority <= 255:
            raise ValueError(f"priority {priority} is not in 1..255")
        self._priority = priority
        _downlink_commands.set_importance(self._engine, self._handle, self._stream_class, priority)

    async def set_stream_class(self, stream_class: StreamClass) -> None:
        """Say what this video is to its viewer: where its network does not carry all, a higher class gets its layers
        before a lower one gets more than its smallest. Weights (`priority`) count inside a class.

        Args:
            stream_class: SCREEN, PINNED, SPEAKER or GRID, which all video is at first. Audio is AUDIO, always.

        Raises:
            ValueError: not a class of this kind.
            InvalidStateError: the consumer is closed.
        """
        self._must_be_open()
        stream_class = StreamClass(stream_class)
        if (stream_class is StreamClass.AUDIO) != (self.kind == "audio"):
            raise ValueError(f"{self.kind} is not of class {stream_class.name}")
        self._stream_class = stream_class
        _downlink_commands.set_importance(self._engine, self._handle, stream_class, self._priority)

    async def request_key_frame(self) -> None:
        """Ask the publisher for a key frame; requests of many consumers become one."""
        self._must_be_open()
        self._engine.request_key_frame(self._handle)

    def stats(self) -> dict[str, Any]:
        """Figures of now, counted since the consumer began.

        `packets` and payload `octets` sent once, and `resent`; sequence numbers `nacked` by the viewer, of which some
        were `awaited` (the publisher owes them, they go out when they come), `refused` (asked for again within a round
        trip, or a fourth time) or `missed` (gone); `key_frame_requests`; `rtt_us` (0: not known), `fraction_lost` (of
        256) and `lost` by its last receiver report; `current_layers` and `target_layers`, (spatial, temporal).

        Raises:
            InvalidStateError: the consumer is closed.
        """
        self._must_be_open()
        return dict(self._engine.consumer_figures(self._handle))

    def close(self) -> None:
        """Stop sending and say good-bye (RTCP BYE). Closing twice is no error."""
        if self.closed:
            return
        self.closed = True
        self._engine.remove_consumer(self._handle)
        self._producer._forget_consumer(self._handle)
        self.emit("close")

    def _producer_closed(self) -> None:
        if not self.closed:
            self.emit("producer_close")
            self.close()

    def _layers_changed(self, spatial: int, temporal: int) -> None:
        self.emit("layers_change", (spatial, None if temporal == BEST else temporal))

    def _must_be_open(self) -> None:
        if self.closed:
            raise InvalidStateError("consumer closed")


def _layer(value: int | None, highest: int, what: str) -> int:
    if value is None:
        return BEST
    if not 0 <= value <= highest:
        raise ValueError(f"{what} layer {value} is not in 0..{highest}")
    return value
