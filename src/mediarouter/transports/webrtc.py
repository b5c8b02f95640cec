"""A WebRTC transport: ICE-lite, DTLS-SRTP, and what a client sends and receives over them."""

import logging
from typing import TYPE_CHECKING, Any, Literal

from mediarouter import _ccfb_commands, _downlink_commands, _uplink_commands
from mediarouter._engine import read_address, ufrag_prefix
from mediarouter.codecs._codec import kind_of
from mediarouter.consumer import BEST, Consumer
from mediarouter.errors import InvalidStateError, NegotiationError
from mediarouter.events import Emitter
from mediarouter.ortc import (
    get_consumer_rtp_parameters,
    has_feedback,
    media_codec,
    reports_by_stream,
    rtx_codec,
    validate_producer_parameters,
)
from mediarouter.parameters import (
    EXTENSION_KINDS,
    RECEIVED_KINDS,
    TRANSPORT_CC,
    Bandwidth,
    DtlsParameters,
    IceCandidate,
    IceParameters,
    RtpCapabilities,
    RtpEncodingParameters,
    RtpParameters,
)
from mediarouter.producer import Producer
from mediarouter.transports.base import Environment, Timer, random_id, random_letters, random_ssrc
from mediarouter.transports.dtls import DtlsEndpoint

if TYPE_CHECKING:
    from mediarouter.router import Router

logger = logging.getLogger("mediarouter")

IceState = Literal["new", "connected", "disconnected", "closed"]
PASSWORD_SIZE = 24
FIRST_SEQ_BITS = 15
TRANSPORT_CC_KIND = EXTENSION_KINDS[TRANSPORT_CC]


class WebRtcTransport(Emitter):
    """A path to one client's peer connection. Made by `Router.create_webrtc_transport`.

    Events:
        ice_state_change(state): "connected" once the client chose an address, "disconnected" when its consent lapsed
            (RFC 7675), "connected" again when it is back.
        dtls_state_change(state): "connecting", "connected" (media can flow), "failed", "closed" by the client.
        close(): all producers and consumers on it are closed.
    """

    events = frozenset({"ice_state_change", "dtls_state_change", "close"})

    def __init__(self, router: "Router", environment: Environment, bandwidth: Bandwidth | None) -> None:
        super().__init__()
        self._router = router
        self._environment = environment
        self._engine = environment.engine
        self._feedback_ssrc = random_ssrc(environment)
        self._cname = random_letters(environment, 16)
        self._handle = self._engine.add_transport(self._feedback_ssrc, self._cname.encode())
        self._dtls: DtlsEndpoint | None = None
        self._timer: Timer | None = None
        self._extensions: dict[int, int] = {}
        self._next_mid = 0
        self._bandwidth = bandwidth
        self._max_incoming_bitrate: int | None = None
        self.id = random_id(environment)
        self.ice_state: IceState = "new"
        self.dtls_state = "new"
        self.remote_address: tuple[str, int, str] | None = None
        self.closed = False
        self.producers: dict[str, Producer] = {}
        self.consumers: dict[str, Consumer] = {}
        self.app_data: dict[str, Any] = {}
        self._ice_parameters = self._new_credentials(restart=False)
        environment.route("transport", self._handle, self)

    @property
    def ice_parameters(self) -> IceParameters:
        """Ours, for the client."""
        return self._ice_parameters

    @property
    def ice_candidates(self) -> tuple[IceCandidate, ...]:
        """Where the client can reach us: UDP first, then TCP, one port for all."""
        return self._environment.ice_candidates

    @property
    def dtls_parameters(self) -> DtlsParameters:
        """Ours, for the client; the role is "auto" until `connect`."""
        role: Literal["auto", "client", "server"] = self._dtls.role if self._dtls else "auto"
        return DtlsParameters(self._environment.certificate.fingerprints, role)

    @property
    def cname(self) -> str:
        """What ties together the streams of this client (RFC 3550 6.5.1)."""
        return self._cname

    async def connect(self, dtls_parameters: DtlsParameters, ice_parameters: IceParameters | None = None) -> None:
        """Tell what signalling brought of the client. Media flows as soon as its checks and handshake are through.

        Args:
            dtls_parameters: its fingerprints, and the role it takes. We are the server unless it insists, because the
                server picks the SRTP profile and browsers take GCM only then.
            ice_parameters: its ufrag, when known: then checks of anybody else are refused.

        Raises:
            InvalidStateError: closed, or connected before.
            NegotiationError: no fingerprint of a digest we know.
        """
        self._must_be_open()
        if self._dtls is not None:
            raise InvalidStateError("the transport is connected already")
        known = [f for f in dtls_parameters.fingerprints if f.algorithm.lower() in ("sha-256", "sha-384", "sha-512")]
        if not known:
            raise NegotiationError("no fingerprint with sha-256, sha-384 or sha-512")
        if ice_parameters is not None:
            self.set_remote_ice_parameters(ice_parameters)
        role: Literal["client", "server"] = "client" if dtls_parameters.role == "server" else "server"
        self._dtls = DtlsEndpoint(self._environment.certificate, role, known)
        self._engine.want_dtls(self._handle)
        if role == "server" or self.ice_state == "connected":
            self._start_dtls()

    def set_remote_ice_parameters(self, ice_parameters: IceParameters) -> None:
        """The client's ufrag, at the start or after a restart: checks of anybody else are refused.

        Raises:
            NegotiationError: a ufrag longer than 32 letters.
        """
        self._must_be_open()
        ufrag = ice_parameters.username_fragment.encode()
        # a longer one is lawful (256), but nobody has one; the check is then by our own credentials alone
        self._engine.set_remote_ufrag(self._handle, ufrag if len(ufrag) <= 32 else b"")

    async def restart_ice(self) -> IceParameters:
        """New credentials (RFC 8445 section 9). What flows goes on until the client uses them.

        Raises:
            InvalidStateError: closed.
        """
        self._must_be_open()
        self._ice_parameters = self._new_credentials(restart=True)
        return self._ice_parameters

    async def produce(
        self, *, kind: Literal["audio", "video"], rtp_parameters: RtpParameters, paused: bool = False
    ) -> Producer:
        """Take a stream from the client.

        Args:
            rtp_parameters: what it sends; simulcast encodings from the lowest, each with a rid or an SSRC.

        Raises:
            UnsupportedError: a codec the router does not have.
            NegotiationError: parameters that contradict themselves or another producer of this transport.
            InvalidStateError: closed.
        """
        self._must_be_open()
        validate_producer_parameters(kind, rtp_parameters, self._router.rtp_capabilities)
        self._check_against_others(rtp_parameters)
        codec, rtx = media_codec(rtp_parameters), rtx_codec(rtp_parameters)
        extensions = {
            e.id: RECEIVED_KINDS[e.uri] for e in rtp_parameters.header_extensions if e.uri in RECEIVED_KINDS
        }
        self._engine.set_extensions(self._handle, self._extensions | extensions)
        self._extensions |= extensions
        if reports_by_stream(rtp_parameters):
            _ccfb_commands.begin_reports(self._engine, self._handle)
        handle = self._engine.add_producer(
            self._handle,
            video=kind == "video",
            clock_rate=codec.clock_rate,
            codec=kind_of(codec.mime_type),
            payload_type=codec.payload_type,
            rtx_payload_type=rtx.payload_type if rtx else -1,
            mid=(rtp_parameters.mid or "").encode(),
            nack=has_feedback(codec, "nack"),
            use_fir=has_feedback(codec, "ccm", "fir") and not has_feedback(codec, "nack", "pli"),
            paused=paused,
            encodings=[_signalled(e) for e in rtp_parameters.encodings or (RtpEncodingParameters(),)],
        )
        _uplink_commands.set_limited_by(
            self._engine, handle, has_feedback(codec, "goog-remb"), has_feedback(codec, "ccm", "tmmbr")
        )
        producer = Producer(
            engine=self._engine,
            handle=handle,
            id=random_id(self._environment),
            kind=kind,
            rtp_parameters=rtp_parameters,
            paused=paused,
        )
        self.producers[producer.id] = producer
        self._environment.route("producer", handle, producer)
        producer.on("close", lambda: self._forget_producer(producer))
        self._router._add_producer(producer, self)
        return producer

    async def consume(
        self,
        producer_id: str,
        *,
        rtp_capabilities: RtpCapabilities,
        mid: str | None = None,
        paused: bool = False,
        preferred_layers: tuple[int | None, int | None] = (None, None),
        allow_mixed: bool = True,
    ) -> Consumer:
        """Send a producer's stream to the client.

        Args:
            producer_id: of a producer of the same router, or of any member of the same spanning router.
            rtp_capabilities: of the client, with its payload types and header-extension ids.
            mid: of the media section that receives; the next number by default.
            preferred_layers: as for `Consumer.set_preferred_layers`.
            allow_mixed: the client takes one- and two-byte header extensions in one stream (`extmap-allow-mixed`).

        Raises:
            UnsupportedError: the client takes no such codec.
            InvalidStateError: closed, or there is no such producer.
        """
        self._must_be_open()
        home = self._router._home_of(producer_id)
        producer = home.producers[producer_id]
        if mid is None:
            mid = str(self._next_mid)
            self._next_mid += 1
        parameters = get_consumer_rtp_parameters(
            producer.rtp_parameters,
            rtp_capabilities,
            mid=mid,
            ssrc=random_ssrc(self._environment),
            rtx_ssrc=random_ssrc(self._environment),
            cname=home._cname_of(producer),
        )
        if home is not self._router:
            producer = await home.pipe_to_router(producer_id, router=self._router)
        spatial, temporal = preferred_layers
        self._watch_network(parameters)
        handle = self._add_consumer(producer, parameters, paused, (spatial, temporal), allow_mixed)
        consumer = Consumer(
            engine=self._engine,
            handle=handle,
            id=random_id(self._environment),
            producer=producer,
            rtp_parameters=parameters,
            paused=paused,
        )
        consumer._preferred_layers = (_or_best(spatial), _or_best(temporal))
        producer._consumers[handle] = consumer
        self.consumers[consumer.id] = consumer
        self._environment.route("consumer", handle, consumer)
        consumer.on("close", lambda: self._forget_consumer(consumer))
        return consumer

    async def set_max_outgoing_bitrate(self, bps: int) -> None:
        """The client gets no more than this from now on, whatever its network carries.

        Args:
            bps: with IP, UDP and SRTP; from the least bitrate to 1,000,000,000.

        Raises:
            ValueError: out of range.
            InvalidStateError: closed, or made with `bandwidth=None`: then nothing limits what is sent.
        """
        self._set_limits(max_bps=bps)

    async def set_min_outgoing_bitrate(self, bps: int) -> None:
        """The client's network is taken to carry this much from now on, whatever its feedback tells.

        Args:
            bps: with IP, UDP and SRTP; from 1,000 to the most bitrate.

        Raises:
            ValueError: out of range.
            InvalidStateError: closed, or made with `bandwidth=None`.
        """
        self._set_limits(min_bps=bps)

    @property
    def max_incoming_bitrate(self) -> int | None:
        """Set by `set_max_incoming_bitrate`, bit/s; None: no limit."""
        return self._max_incoming_bitrate

    async def set_max_incoming_bitrate(self, bps: int | None, *, wanted_only: bool = False) -> None:
        """Ask the client to send no more than this: by REMB where its video codecs have negotiated `goog-remb`, else
        by TMMBR (RFC 5104 4.2.1) where `ccm tmmbr`. It is told at once, and again each second; without either nothing
        is told, and nothing is enforced.

        Args:
            bps: of all it sends together, 1,000 to 1,000,000,000 bit/s; None: no limit.
            wanted_only: while some of its layers are wanted by nobody, no more either than the others cost and a
                quarter of it more: for clients that hear nothing of `Producer.wanted_layers`.

        Raises:
            TypeError: not a whole number.
            ValueError: out of range.
            InvalidStateError: closed.
        """
        self._must_be_open()
        if bps is not None and (isinstance(bps, bool) or not isinstance(bps, int)):
            raise TypeError(f"a bit rate is a whole number or None, not {bps!r}")
        if bps is not None and not _uplink_commands.MIN_INCOMING_BPS <= bps <= _uplink_commands.MAX_INCOMING_BPS:
            raise ValueError(f"a bit rate is 1,000 to 1,000,000,000 bit/s, not {bps:,}")
        _uplink_commands.set_max_incoming_bitrate(self._engine, self._handle, bps or 0, bool(wanted_only))
        self._max_incoming_bitrate = bps

    def stats(self) -> dict[str, Any]:
        """Figures of now: packets and bytes both ways, what transport-wide feedback told, the viewer's REMB;
        under "downlink" what is known of its network, None while nothing is.

        Raises:
            InvalidStateError: closed.
        """
        self._must_be_open()
        return dict(self._engine.transport_figures(self._handle)) | {
            "downlink": _downlink_commands.figures(self._engine, self._handle)
        }

    def close(self) -> None:
        """Close it and all on it. Closing twice is no error."""
        if self.closed:
            return
        self.closed = True
        for consumer in tuple(self.consumers.values()):
            consumer.close()
        for producer in tuple(self.producers.values()):
            producer.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._dtls is not None:
            self._dtls.close()
            self._send_dtls()
        self._engine.remove_transport(self._handle)
        self._environment.route("transport", self._handle, None)
        self._router._forget_transport(self)
        self._set_ice_state("closed")
        self._set_dtls_state("closed")
        self.emit("close")

    # ---- inside

    def _new_credentials(self, *, restart: bool) -> IceParameters:
        # 4 letters that lead the engine to us, 8 random ones (48 bits; RFC 8445 5.3 asks for 24), a long password
        ufrag = ufrag_prefix(self._handle) + random_letters(self._environment, 8)
        password = random_letters(self._environment, PASSWORD_SIZE)
        self._engine.set_ice_credentials(self._handle, ufrag.encode(), password.encode(), restart=restart)
        return IceParameters(ufrag, password, ice_lite=True)

    def _watch_network(self, parameters: RtpParameters) -> None:
        # whoever takes transport-wide numbers gives the feedback that tells what its network carries, and so does who
        # knows RFC 8888; what was begun stays
        kinds = {EXTENSION_KINDS.get(extension.uri) for extension in parameters.header_extensions}
        limits = self._bandwidth
        if limits and TRANSPORT_CC_KIND in kinds and has_feedback(media_codec(parameters), "transport-cc"):
            _downlink_commands.begin(self._engine, self._handle, limits.start_bps, limits.min_bps, limits.max_bps)
        elif limits and reports_by_stream(parameters):
            _downlink_commands.begin(
                self._engine, self._handle, limits.start_bps, limits.min_bps, limits.max_bps, by_stream=True
            )

    def _set_limits(self, min_bps: int | None = None, max_bps: int | None = None) -> None:
        self._must_be_open()
        now = self._bandwidth
        if now is None:
            raise InvalidStateError("the transport was made with bandwidth=None: its network is not watched")
        least = now.min_bps if min_bps is None else min_bps
        most = now.max_bps if max_bps is None else max_bps
        self._bandwidth = Bandwidth(min(max(now.start_bps, least), most), least, most)
        _downlink_commands.set_limits(self._engine, self._handle, least, most)

    def _add_consumer(
        self,
        producer: Producer,
        parameters: RtpParameters,
        paused: bool,
        preferred: tuple[int | None, int | None],
        allow_mixed: bool,
    ) -> int:
        encoding, rtx = parameters.encodings[0], rtx_codec(parameters)
        return self._engine.add_consumer(
            self._handle,
            producer._handle,
            ssrc=encoding.ssrc or 0,
            rtx_ssrc=encoding.rtx.ssrc if encoding.rtx else 0,
            payload_type=media_codec(parameters).payload_type,
            rtx_payload_type=rtx.payload_type if rtx else -1,
            mid=(parameters.mid or "").encode(),
            extensions={EXTENSION_KINDS[e.uri]: e.id for e in parameters.header_extensions},
            mixed=allow_mixed,
            first_seq=self._environment.random_number(FIRST_SEQ_BITS),
            paused=paused,
            spatial=_or_best(preferred[0]),
            temporal=_or_best(preferred[1]),
        )

    def _check_against_others(self, parameters: RtpParameters) -> None:
        # streams of one transport must be told apart by MID and SSRC, and agree on header-extension ids (RFC 8843)
        ssrcs = _ssrcs(parameters)
        for producer in self.producers.values():
            other = producer.rtp_parameters
            if parameters.mid is not None and parameters.mid == other.mid:
                raise NegotiationError(f"mid {parameters.mid!r} is in use on this transport")
            if ssrcs & _ssrcs(other):
                raise NegotiationError("an SSRC is in use on this transport")
        for extension in parameters.header_extensions:
            kind = RECEIVED_KINDS.get(extension.uri, 0)
            if self._extensions.get(extension.id, kind) != kind:
                raise NegotiationError(f"header extension id {extension.id} means something else on this transport")

    def _forget_producer(self, producer: Producer) -> None:
        self.producers.pop(producer.id, None)
        self._environment.route("producer", producer._handle, None)
        self._router._forget_producer(producer)

    def _forget_consumer(self, consumer: Consumer) -> None:
        self.consumers.pop(consumer.id, None)
        self._environment.route("consumer", consumer._handle, None)

    def _start_dtls(self) -> None:
        if self._dtls is not None and self._dtls.state == "new":
            self._dtls.start()
            self._after_dtls()

    def _ice_selected(self, address: bytes) -> None:
        self.remote_address = read_address(address)
        self._set_ice_state("connected")
        self._start_dtls()

    def _consent_lost(self) -> None:
        self._set_ice_state("disconnected")

    def _dtls_received(self, data: bytes) -> None:
        if self._dtls is not None:
            self._dtls.handle_datagram(data)
            self._after_dtls()

    def _dtls_timeout(self) -> None:
        self._timer = None
        if self._dtls is not None and not self.closed:
            self._dtls.handle_timeout()
            self._after_dtls()

    def _after_dtls(self) -> None:
        dtls = self._dtls
        assert dtls is not None
        if dtls.state == "connected" and self.dtls_state != "connected":
            local, remote = dtls.export_srtp_keys()
            self._engine.set_keys(self._handle, dtls.srtp_profile, remote, local)
        self._send_dtls()
        if dtls.state == "failed" and self.dtls_state != "failed":
            logger.info("DTLS of transport %s failed: %s", self.id, dtls.failure)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        timeout_us = dtls.poll_timeout()
        if timeout_us is not None:
            self._timer = self._environment.call_later(timeout_us + 1000, self._dtls_timeout)
        self._set_dtls_state(dtls.state)

    def _send_dtls(self) -> None:
        assert self._dtls is not None
        while (datagram := self._dtls.poll_transmit()) is not None:
            self._engine.send_dtls(self._handle, datagram)

    def _set_ice_state(self, state: IceState) -> None:
        if state != self.ice_state:
            self.ice_state = state
            self.emit("ice_state_change", state)

    def _set_dtls_state(self, state: str) -> None:
        if state != self.dtls_state:
            self.dtls_state = state
            self.emit("dtls_state_change", state)

    def _must_be_open(self) -> None:
        if self.closed:
            raise InvalidStateError("transport closed")


def _signalled(encoding: RtpEncodingParameters) -> tuple[bytes, int, int]:
    return (encoding.rid or "").encode(), encoding.ssrc or 0, encoding.rtx.ssrc if encoding.rtx else 0


def _ssrcs(parameters: RtpParameters) -> set[int]:
    found = {e.ssrc for e in parameters.encodings} | {e.rtx.ssrc for e in parameters.encodings if e.rtx}
    return {ssrc for ssrc in found if ssrc}


def _or_best(layer: int | None) -> int:
    return BEST if layer is None else layer
