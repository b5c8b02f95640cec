"""LiveKit's signalling, with a server of ours that speaks as the real one does, and tokens that any library accepts."""

import base64
import hmac
import json
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.sync.server import serve

from mediarouter.bench.clients import JoinError
from mediarouter.bench.load import Load
from mediarouter.bench.peers import livekit
from mediarouter.bench.peers.descriptions import read_transport
from mediarouter.bench.peers.livekit import (
    Signal,
    access_token,
    add_track,
    configure,
    is_listening,
    sdp_id,
    start_livekit,
    version_of,
)
from mediarouter.bench.peers.peer import Missing, Setting
from mediarouter.bench.peers.processes import PeerError, free_port
from mediarouter.bench.peers.protobuf import decode, encode, text_of
from mediarouter.transports.dtls import DtlsCertificate

VECTORS = Path(__file__).parents[2] / "vectors" / "peers"
BEGIN = (VECTORS / "livekit_begin.txt").read_text()
CANDIDATE = "candidate:2878742611 1 udp 2130706431 127.0.0.1 60226 typ host"
TCP = "candidate:375738803 1 tcp 1671430143 127.0.0.1 7881 typ host tcptype passive"


def trickled(candidate: str) -> bytes:
    return encode([(4, encode([(1, json.dumps({"candidate": candidate, "sdpMid": "0"})), (2, 1)]))])


@contextmanager
def virtual_livekit(*messages: bytes, refuse: bool = False):
    """Sends these as soon as somebody is in; what it was sent is written down."""

    def handle(connection):
        queries.append(parse_qs(urlsplit(connection.request.path).query))
        for message in messages:
            connection.send(message)
        heard.extend(connection)

    def process(connection, request):
        return connection.respond(401, "no permission") if refuse else None

    queries, heard = [], []
    with serve(handle, "127.0.0.1", 0, process_request=process) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.socket.getsockname()[1], queries, heard
        server.shutdown()
    thread.join()


def test_messages_are_waited_for_and_candidates_gathered_meanwhile():
    offer = encode([(1, "offer"), (2, BEGIN), (3, 5)])
    joined, update = encode([(1, encode([(10, 15)]))]), encode([(5, b"")])
    with virtual_livekit(joined, trickled(TCP), update, encode([(3, offer)]), trickled(CANDIDATE)) as (
        port,
        queries,
        heard,
    ):
        signal = Signal(port, "a.token")
        assert signal.wait_for(livekit.JOINED) == {10: [15]}
        offered = signal.wait_for(livekit.OFFERED)
        assert text_of(offered, livekit.SDP) == BEGIN and sdp_id(offered) == [(3, 5)]
        remote = signal.complete(read_transport(BEGIN))
        assert [(c.address, c.port) for c in remote.candidates] == [("127.0.0.1", 60226)]
        assert remote.ice.ice_lite and signal.complete(remote) == remote
        signal.send(livekit.ANSWER, b"\x0a\x00")
        signal.close()
    assert queries[0]["access_token"] == ["a.token"] and queries[0]["auto_subscribe"] == ["1"]
    assert heard == [bytes.fromhex("12020a00")]


def test_leave_taking_refusal_and_silence_are_told(monkeypatch):
    monkeypatch.setattr(livekit, "ANSWER_TIMEOUT_S", 0.2)
    with virtual_livekit(encode([(8, encode([(2, 3)]))])) as (port, _, _):
        signal = Signal(port, "t")
        with pytest.raises(PeerError, match="takes leave"):
            signal.wait_for(livekit.JOINED)
        with pytest.raises(PeerError, match="silent"):
            signal.wait_for(livekit.JOINED)
        signal.close()
        with pytest.raises(PeerError, match="closes"):
            signal.wait_for(livekit.JOINED)
    with virtual_livekit(refuse=True) as (port, _, _):
        with pytest.raises(PeerError, match="lets nobody in"):
            Signal(port, "t")
        assert is_listening(port)
    assert not is_listening(free_port())


def test_a_token_lets_one_publish_or_subscribe():
    token = access_token("secret", "me", publishes=True)
    head, claims, signature = token.split(".")
    expected = base64.urlsafe_b64encode(hmac.digest(b"secret", f"{head}.{claims}".encode(), "sha256"))
    assert signature == expected.rstrip(b"=").decode() and "=" not in token
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert told["video"] == {"room": "bench", "roomJoin": True, "canPublish": True, "canSubscribe": False}
    assert told["nbf"] < time.time() < told["exp"] and (told["iss"], told["sub"]) == ("bench", "me")
    assert json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))) == {"alg": "HS256", "typ": "JWT"}


def test_a_track_is_a_camera_in_one_layer():
    fields = decode(add_track("camera-1000"))
    assert (text_of(fields, 1), fields[3], fields[8]) == ("camera-1000", [1], [1])
    assert [decode(layer)[1] for layer in fields[9]] == [[2]]


def test_its_configuration_is_the_recipe_filled_in(tmp_path, monkeypatch):
    monkeypatch.setattr(livekit.os, "cpu_count", lambda: 4)
    configure(tmp_path, 7880, "s3cret")
    path = tmp_path / "livekit.yaml"
    text = path.read_text()
    assert "port: 7880\n" in text and "bench: s3cret\n" in text and "batch_size: 128" in text
    first, last = next(line for line in text.splitlines() if "udp_port" in line).split()[1].split("-")
    assert int(last) == int(first) + 3 and path.stat().st_mode & 0o77 == 0
    assert not [line for line in text.splitlines() if "@" in line and not line.startswith("#")]


SERVER = """#!/usr/bin/env python3
import re, sys
from websockets.sync.server import serve
if sys.argv[1] == "--version":
    sys.exit(print("livekit-server version 1.13.5"))
text = open(sys.argv[2]).read()
port = int(re.search("port: (\\d+)", text)[1])
print("started", flush=True)
with serve(lambda connection: connection.send({joined!r}), "127.0.0.1", port) as server:
    server.serve_forever()
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A server that only says that one is in."""
    path = tmp_path / "server"
    path.write_text(SERVER.format(joined=encode([(1, b"")])).replace("/usr/bin/env python3", sys.executable))
    path.chmod(0o755)
    monkeypatch.setattr(livekit, "livekit_program", lambda: path)
    monkeypatch.setattr(livekit, "ANSWER_TIMEOUT_S", 1.0)
    return path


def test_a_server_is_started_entered_and_ended(program, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    peer = start_livekit(Setting(Load(), DtlsCertificate.generate(), folder))
    try:
        assert peer.version == "1.13.5" and peer.pid > 0
        with pytest.raises(PeerError, match="closes|silent"):
            peer.publish(1000)
        with pytest.raises((PeerError, JoinError)):
            peer.subscribe()
    finally:
        peer.close()
    assert "started" in (folder / "log").read_text()


def test_without_a_server_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(livekit, "livekit_program", lambda: tmp_path / "nothing")
    with pytest.raises(Missing, match="--build"):
        start_livekit(Setting(Load(), DtlsCertificate.generate(), tmp_path))
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\n")
    silent.chmod(0o755)
    assert version_of(str(silent)) == "?"
