"""Pion: our program of bench/peers/pion, which forwards as Pion's examples do; JSON lines."""

import json
import re
from typing import Any

from mediarouter.bench.load import MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID, VIDEO_PAYLOAD_TYPE
from mediarouter.bench.peers.builds import pion_program, required
from mediarouter.bench.peers.descriptions import publishing_offer, read_transport, subscribing_offer, transport_cc_id
from mediarouter.bench.peers.guest import Guest
from mediarouter.bench.peers.peer import RECIPES, Setting
from mediarouter.bench.peers.processes import PeerError, PeerProcess

EXTENSION_IDS = (MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID)


class Pion:
    """A process of the program."""

    def __init__(self, program: str, version: str, setting: Setting) -> None:
        self.version = version
        self.transport_cc_id = 0
        self._setting = setting
        self._process = PeerProcess([program], setting.folder / "log", piped=True)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def publish(self, ssrc: int) -> Guest:
        """A connection that sends one track."""
        guest = Guest(self._setting.certificate)
        offer = publishing_offer(guest.local, payload_type=VIDEO_PAYLOAD_TYPE, extension_ids=EXTENSION_IDS, ssrc=ssrc)
        guest.connect(read_transport(self._order(do="publish", sdp=offer)), controlling=True)
        return guest

    def subscribe(self) -> Guest:
        """A connection that gets all tracks."""
        guest = Guest(self._setting.certificate)
        tracks = self._setting.load.publishers
        offer = subscribing_offer(guest.local, tracks, payload_type=VIDEO_PAYLOAD_TYPE, extension_ids=EXTENSION_IDS)
        answer = self._order(do="subscribe", sdp=offer, tracks=tracks)
        self.transport_cc_id = transport_cc_id(answer)
        guest.connect(read_transport(answer), controlling=True)
        return guest

    def close(self) -> None:
        """End it."""
        self._process.stop()

    def _order(self, **fields: Any) -> str:
        answer = json.loads(self._process.ask(json.dumps(fields).encode()))
        if "sdp" not in answer:
            raise PeerError(f"it refuses to {fields['do']}: {answer.get('error')}")
        return str(answer["sdp"])


def version_of(go_mod: str) -> str:
    """Of pion/webrtc, as go.mod asks for it."""
    match = re.search(r"pion/webrtc/v\d+ v(\S+)", go_mod)
    return match[1] if match else "?"


def start_pion(setting: Setting) -> Pion:
    """The program, as built.

    Raises:
        Missing: it is not.
    """
    program = required(pion_program(), "Pion")
    return Pion(program, f"webrtc {version_of((RECIPES / 'pion' / 'go.mod').read_text())}", setting)
