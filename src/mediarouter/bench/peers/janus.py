"""Janus: a video room, reached by its API over a websocket; JSON messages."""

import itertools
import json
import re
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from mediarouter.bench.load import MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID, VIDEO_PAYLOAD_TYPE, Load
from mediarouter.bench.peers.descriptions import publishing_offer, read_transport, receiving_answer, transport_cc_id
from mediarouter.bench.peers.guest import Guest
from mediarouter.bench.peers.peer import RECIPES, Missing, Setting
from mediarouter.bench.peers.processes import PeerError, PeerProcess, free_port

ROOM = 1
ANSWER_TIMEOUT_S = 10.0
PLUGIN, TRANSPORT = "libjanus_videoroom.so", "libjanus_websockets.so"
LIBRARY_FOLDERS = ("/usr/lib/*/janus", "/usr/lib/janus", "/usr/local/lib/janus", "/opt/janus/lib/janus")


class Janus:
    """A Janus of its own, with one room."""

    def __init__(self, program: str, setting: Setting) -> None:
        self.version = version_of(program)
        self.transport_cc_id = 0
        self._setting = setting
        self._feeds: list[int] = []
        self._control = JanusControl()
        port = free_port()
        folder = setting.folder
        configure(folder, port=port, address=setting.address)
        self._process = PeerProcess([program, "-C", str(folder / "janus.jcfg"), "-F", str(folder)], folder / "log")
        try:
            self._process.wait_for(lambda: self._control.connect(port))
            self._control.begin()
            self._control.ask(self._control.attach(), create_room(setting.load))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def publish(self, ssrc: int) -> Guest:
        """A publisher of the room."""
        guest = Guest(self._setting.certificate, self._setting.address)
        offer = publishing_offer(
            guest.local,
            payload_type=VIDEO_PAYLOAD_TYPE,
            extension_ids=(MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID),
            ssrc=ssrc,
        )
        feed = len(self._feeds) + 1
        body = {"request": "joinandconfigure", "ptype": "publisher", "room": ROOM, "id": feed}
        handle = self._control.attach()
        event = self._control.ask(handle, body, ("offer", offer))
        guest.connect(read_transport(event["jsep"]["sdp"]), controlling=True)
        self._control.wait_for_media(handle)
        self._feeds.append(feed)
        return guest

    def subscribe(self) -> Guest:
        """A subscriber to all who publish."""
        guest = Guest(self._setting.certificate, self._setting.address)
        handle = self._control.attach()
        streams = [{"feed": feed} for feed in self._feeds]
        event = self._control.ask(handle, {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": streams})
        offer = event["jsep"]["sdp"]
        self.transport_cc_id = transport_cc_id(offer)
        self._control.ask(handle, {"request": "start"}, ("answer", receiving_answer(offer, guest.local)))
        guest.connect(read_transport(offer), controlling=False)
        return guest

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._process.stop()


class JanusControl:
    """Janus' API: requests by transaction, whose answers are waited for. Unasked, only `webrtcup` counts."""

    def __init__(self) -> None:
        self._ending = ExitStack()
        self._socket: ClientConnection | None = None
        self._numbers = itertools.count(1)
        self._session: dict[str, int] = {}
        self._connected: set[int] = set()  # handles whose media can flow

    def connect(self, port: int) -> bool:
        """Whether the port is listened to."""
        try:
            opened = connect(f"ws://127.0.0.1:{port}", subprotocols=[Subprotocol("janus-protocol")], proxy=None)
            self._socket = self._ending.enter_context(opened)
        except ConnectionRefusedError:
            return False
        return True

    def begin(self) -> None:
        """A session."""
        self._session = {"session_id": self._request({"janus": "create"})["data"]["id"]}

    def attach(self) -> int:
        """A handle of the video room."""
        attached = self._request({"janus": "attach", "plugin": "janus.plugin.videoroom"})
        return int(attached["data"]["id"])

    def ask(self, handle: int, body: dict[str, Any], jsep: tuple[str, str] | None = None) -> dict[str, Any]:
        """A request to the room; its final answer.

        Raises:
            PeerError: it refuses, or is silent.
        """
        message: dict[str, Any] = {"janus": "message", "handle_id": handle, "body": body}
        if jsep:
            message["jsep"] = {"type": jsep[0], "sdp": jsep[1]}
        answer = self._request(message)
        data = answer.get("plugindata", {}).get("data", {})
        if "error" in data:
            raise PeerError(f"the room refuses {body['request']}: {data['error']}")
        return answer

    def wait_for_media(self, handle: int) -> None:
        """Until Janus has noticed that a connection is up: before that there is no feed to subscribe to.

        Raises:
            PeerError: it does not notice.
        """
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while handle not in self._connected:
            try:
                self._receive(deadline)
            except (TimeoutError, ConnectionClosed) as error:
                raise PeerError(f"Janus sees no connection: {error or 'silence'}") from None

    def close(self) -> None:
        """End it."""
        self._ending.close()

    def _request(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._socket is not None
        transaction = f"t{next(self._numbers)}"
        try:
            self._socket.send(json.dumps(message | self._session | {"transaction": transaction}))
            answer = self._answer_to(transaction)
        except (TimeoutError, ConnectionClosed) as error:
            raise PeerError(f"Janus does not answer {message['janus']}: {error or 'silence'}") from None
        if answer["janus"] == "error":
            raise PeerError(f"Janus refuses {message['janus']}: {answer['error']['reason']}")
        return answer

    def _answer_to(self, transaction: str) -> dict[str, Any]:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while True:
            answer = self._receive(deadline)
            if answer.get("transaction") == transaction and answer["janus"] != "ack":
                return answer

    def _receive(self, deadline: float) -> dict[str, Any]:
        assert self._socket is not None
        message = dict(json.loads(self._socket.recv(max(0.0, deadline - time.monotonic()))))
        if message["janus"] == "webrtcup":
            self._connected.add(message["sender"])
        return message


def create_room(load: Load) -> dict[str, Any]:
    """The room: no limit of rate, no key frames asked for by the clock, no extension but those the clients have."""
    return {
        "request": "create",
        "room": ROOM,
        "publishers": load.publishers,
        "bitrate": 0,
        "fir_freq": 0,
        "videocodec": "vp8",
        "audiolevel_ext": False,
        "videoorient_ext": False,
        "playoutdelay_ext": False,
        "transport_wide_cc_ext": True,
        "record": False,
    }


def configure(folder: Path, *, port: int, address: str) -> None:
    """Write its configuration from the recipe, and lay out just the plugin and the transport that are used.

    Raises:
        Missing: the plugin or the transport is not installed.
    """
    for kind, name in (("plugins", PLUGIN), ("transports", TRANSPORT)):
        (folder / kind).mkdir()
        (folder / kind / name).symlink_to(find_library(kind, name))
    for kind in ("events", "loggers"):
        (folder / kind).mkdir()
    values = {"folder": str(folder), "port": str(port), "address": address}
    for recipe in sorted((RECIPES / "janus").glob("*.jcfg")):
        text = recipe.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        (folder / recipe.name).write_text(text)


def find_library(kind: str, name: str) -> Path:
    """Where a part of Janus is installed.

    Raises:
        Missing: nowhere.
    """
    for pattern in LIBRARY_FOLDERS:
        for found in sorted(Path("/").glob(f"{pattern[1:]}/{kind}/{name}")):
            return found
    raise Missing(f"{name} of Janus is in none of {', '.join(LIBRARY_FOLDERS)}")


def version_of(program: str) -> str:
    """Of the program, as it tells by `--version`."""
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10)
    match = re.search(r"\d+\.\d+\.\d+", shown.stdout + shown.stderr)
    return match[0] if match else "?"


def start_janus(setting: Setting) -> Janus:
    """Janus, as installed.

    Raises:
        Missing: it is not; or there is no address that it would use.
    """
    program = shutil.which("janus") or shutil.which("/opt/janus/bin/janus")
    if program is None:
        raise Missing("no janus on PATH: apt-get install janus")
    if not setting.address:
        raise Missing("it uses no loopback address, and no network namespace can be made here")
    return Janus(program, setting)
