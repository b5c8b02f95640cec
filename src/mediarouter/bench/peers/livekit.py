"""LiveKit: a room of its own server, reached by its websocket; protobuf messages.

Publishers have one connection, that they offer; subscribers one, that the server offers: at first with its data
channel only, then with the tracks.
"""

import base64
import hmac
import json
import os
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mediarouter.bench.clients import JoinError
from mediarouter.bench.load import MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID, VIDEO_PAYLOAD_TYPE
from mediarouter.bench.peers.builds import livekit_program, required
from mediarouter.bench.peers.descriptions import (
    RemoteTransport,
    publishing_offer,
    read_candidate,
    read_transport,
    receiving_answer,
    transport_cc_id,
)
from mediarouter.bench.peers.guest import Guest
from mediarouter.bench.peers.peer import RECIPES, Setting
from mediarouter.bench.peers.processes import PeerError, PeerProcess, free_port
from mediarouter.bench.peers.protobuf import Fields, decode, encode, message_of, text_of

ROOM, KEY = "bench", "bench"
TOKEN_S = 3600
PROTOCOL = 15
ANSWER_TIMEOUT_S = 10.0
# SignalRequest and SignalResponse of livekit_rtc.proto: which message is inside
OFFER, ANSWER, TRICKLE, ADD_TRACK = 1, 2, 3, 4
JOINED, ANSWERED, OFFERED, TRICKLED, PUBLISHED, LEFT = 1, 2, 3, 4, 6, 8
# fields of theirs
TYPE, SDP, SDP_ID = 1, 2, 3
CANDIDATE, TARGET = 1, 2
CID, NAME, KIND, WIDTH, HEIGHT, SOURCE, LAYERS = 1, 2, 3, 4, 5, 8, 9
VIDEO, CAMERA, HIGH = 1, 1, 2


class LiveKit:
    """A server of its own, with one room."""

    def __init__(self, program: str, setting: Setting) -> None:
        self.version = version_of(program)
        self.transport_cc_id = 0
        self._setting = setting
        self._secret = os.urandom(24).hex()
        self._port = free_port()
        self._signals: list[Signal] = []
        configure(setting.folder, self._port, self._secret)
        command = [program, "--config", str(setting.folder / "livekit.yaml")]
        self._process = PeerProcess(command, setting.folder / "log")
        try:
            self._process.wait_for(lambda: is_listening(self._port))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def publish(self, ssrc: int) -> Guest:
        """A participant that publishes one track and subscribes to none."""
        signal = self._enter(f"publisher-{ssrc}", publishes=True)
        guest = Guest(self._setting.certificate)
        track = f"camera-{ssrc}"
        signal.send(ADD_TRACK, add_track(track))
        signal.wait_for(PUBLISHED)
        offer = publishing_offer(
            guest.local,
            payload_type=VIDEO_PAYLOAD_TYPE,
            extension_ids=(MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID),
            ssrc=ssrc,
            track=track,
        )
        signal.send(OFFER, encode([(TYPE, "offer"), (SDP, offer)]))
        answer = text_of(signal.wait_for(ANSWERED), SDP)
        guest.connect(signal.complete(read_transport(answer)), controlling=True)
        return guest

    def subscribe(self) -> Guest:
        """A participant that gets every track and publishes none."""
        signal = self._enter(f"subscriber-{len(self._signals)}", publishes=False)
        guest = Guest(self._setting.certificate)
        connected = False
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while time.monotonic() < deadline:
            offered = signal.wait_for(OFFERED)
            offer = text_of(offered, SDP)
            answer = encode([(TYPE, "answer"), (SDP, receiving_answer(offer, guest.local)), *sdp_id(offered)])
            signal.send(ANSWER, answer)
            if not connected:
                remote = signal.complete(read_transport(offer))
                guest.connect(remote, controlling=remote.ice.ice_lite)
                connected = True
            if offer.count("m=video") >= self._setting.load.publishers:
                self.transport_cc_id = transport_cc_id(offer)
                return guest
        raise JoinError("the server offers no track")

    def close(self) -> None:
        """End it."""
        self._process.stop(insist=True)
        for signal in self._signals:
            signal.close()

    def _enter(self, identity: str, *, publishes: bool) -> "Signal":
        token = access_token(self._secret, identity, publishes=publishes)
        signal = Signal(self._port, token)
        self._signals.append(signal)
        signal.wait_for(JOINED)
        return signal


class Signal:
    """A participant's websocket: messages out, and those waited for in; candidates are gathered meanwhile."""

    def __init__(self, port: int, token: str) -> None:
        self._ending = ExitStack()
        query = f"access_token={token}&protocol={PROTOCOL}&auto_subscribe=1&adaptive_stream=0"
        try:
            opened = connect(f"ws://127.0.0.1:{port}/rtc?{query}", proxy=None, max_queue=None)
            self._socket = self._ending.enter_context(opened)
        except InvalidStatus as error:
            raise PeerError(f"LiveKit lets nobody in: {error}") from None
        self._candidates: list[str] = []

    def send(self, kind: int, message: bytes) -> None:
        """One message of that kind.

        Raises:
            PeerError: the server has closed the websocket.
        """
        try:
            self._socket.send(encode([(kind, message)]))
        except ConnectionClosed as error:
            raise PeerError(f"LiveKit closes the websocket: {error}") from None

    def wait_for(self, kind: int) -> Fields:
        """The next message of that kind.

        Raises:
            PeerError: the server takes leave, or is silent.
        """
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while time.monotonic() < deadline:
            fields = self._receive()
            if LEFT in fields:
                raise PeerError(f"LiveKit takes leave: {message_of(fields, LEFT)}")
            if kind in fields:
                return message_of(fields, kind)
        raise PeerError(f"LiveKit sends no message {kind}")

    def complete(self, remote: RemoteTransport) -> RemoteTransport:
        """With a candidate, for which it waits if none came yet.

        Raises:
            PeerError: there is none.
        """
        candidates = list(remote.candidates)
        while not candidates:
            if not self._candidates:
                self.wait_for(TRICKLED)
            candidates = [found for value in self._candidates if (found := read_candidate(value)) is not None]
            self._candidates.clear()
        return RemoteTransport(remote.ice, remote.dtls, tuple(candidates))

    def close(self) -> None:
        """End it."""
        self._ending.close()

    def _receive(self) -> Fields:
        try:
            data = self._socket.recv(ANSWER_TIMEOUT_S)
        except TimeoutError:
            raise PeerError("LiveKit is silent") from None
        except ConnectionClosed as error:
            raise PeerError(f"LiveKit closes the websocket: {error}") from None
        fields = decode(data if isinstance(data, bytes) else data.encode())
        if TRICKLED in fields:
            self._candidates.append(str(json.loads(text_of(message_of(fields, TRICKLED), CANDIDATE))["candidate"]))
        return fields


def add_track(cid: str) -> bytes:
    """AddTrackRequest: a camera of 1280 by 720 in one layer."""
    layer = encode([(1, HIGH), (2, 1280), (3, 720), (4, 1_600_000)])
    return encode(
        [
            (CID, cid),
            (NAME, cid),
            (KIND, VIDEO),
            (WIDTH, 1280),
            (HEIGHT, 720),
            (SOURCE, CAMERA),
            (LAYERS, layer),
        ]
    )


def sdp_id(offered: Fields) -> list[tuple[int, int | str | bytes]]:
    """The number of an offer, for its answer; none in servers that do not number them."""
    return [(SDP_ID, value) for value in offered.get(SDP_ID, [])]


def access_token(secret: str, identity: str, *, publishes: bool) -> str:
    """A JSON web token (RFC 7519), signed by HMAC-SHA256, that lets one into the room."""
    grant: dict[str, Any] = {"room": ROOM, "roomJoin": True, "canPublish": publishes, "canSubscribe": not publishes}
    now = int(time.time())
    claims = {"iss": KEY, "sub": identity, "nbf": now - 60, "exp": now + TOKEN_S, "video": grant}
    signed = b".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + _base64(hmac.digest(secret.encode(), signed, "sha256"))).decode()


def configure(folder: Path, port: int, secret: str) -> None:
    """Write its configuration from the recipe; one UDP port for each processor, as its own sample advises."""
    first = free_port(socket.SOCK_DGRAM)
    values = {
        "port": port,
        "udp_first": first,
        "udp_last": first + (os.cpu_count() or 1) - 1,
        "key": KEY,
        "secret": secret,
    }
    text = (RECIPES / "livekit" / "livekit.yaml").read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    (folder / "livekit.yaml").write_text(text)
    (folder / "livekit.yaml").chmod(0o600)


def is_listening(port: int) -> bool:
    """Whether a websocket server answers there, if only by a refusal."""
    try:
        with connect(f"ws://127.0.0.1:{port}/rtc", proxy=None):
            return True
    except InvalidStatus:
        return True
    except OSError:
        return False


def version_of(program: str) -> str:
    """Of the program, as it tells by `--version`."""
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10)
    words = shown.stdout.split()
    return words[-1] if words else "?"


def start_livekit(setting: Setting) -> LiveKit:
    """LiveKit's server, as installed or built.

    Raises:
        Missing: it is not.
    """
    return LiveKit(required(livekit_program(), "LiveKit"), setting)


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
