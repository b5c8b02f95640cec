"""Janus' API and files, with a Janus of ours that speaks as the real one does: acknowledgements, events, refusals."""

import json
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.server import serve

from mediarouter.bench.load import Load
from mediarouter.bench.peers import janus
from mediarouter.bench.peers.janus import JanusControl, configure, create_room, find_library, start_janus, version_of
from mediarouter.bench.peers.peer import Missing, Setting
from mediarouter.bench.peers.processes import PeerError, free_port
from mediarouter.transports.dtls import DtlsCertificate


@contextmanager
def virtual_janus(room):
    """Answers by what `room(body)` says: an event's data with its jsep, or None for silence."""

    def handle(connection):
        for text in connection:
            asked = json.loads(text)
            heard.append(asked)
            head = {"transaction": asked["transaction"]}
            if asked["janus"] in ("create", "attach"):
                if asked.get("plugin", "janus.plugin.videoroom") != "janus.plugin.videoroom":
                    answers = [{"janus": "error", "error": {"code": 460, "reason": "No such plugin"}}]
                else:
                    answers = [
                        {"janus": "success", "data": {"id": 7 if asked["janus"] == "create" else 70 + len(heard)}}
                    ]
            else:
                found = room(asked["body"])
                connection.send(json.dumps({"janus": "webrtcup", "sender": asked["handle_id"]}))
                answers = [{"janus": "ack"}]
                if found is not None:
                    answers.append({"janus": "event", "plugindata": {"data": found[0]}, "jsep": found[1]})
            for answer in answers:
                connection.send(json.dumps(answer | head))

    heard = []
    with serve(handle, "127.0.0.1", 0, subprotocols=["janus-protocol"]) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.socket.getsockname()[1], heard
        server.shutdown()
    thread.join()


def test_requests_find_their_answers_among_what_comes_unasked(monkeypatch):
    monkeypatch.setattr(janus, "ANSWER_TIMEOUT_S", 0.5)
    jsep = {"type": "offer", "sdp": "v=0"}
    with virtual_janus(lambda body: ({"videoroom": "attached"}, jsep)) as (port, heard):
        control = JanusControl()
        assert control.connect(port)
        control.begin()
        handle = control.attach()
        answer = control.ask(handle, {"request": "join"}, ("answer", "v=0 ours"))
        assert answer["jsep"] == jsep
        control.wait_for_media(handle)
        with pytest.raises(PeerError, match="sees no connection: "):
            control.wait_for_media(handle + 1)
        control.close()
    assert heard[2] == {
        "janus": "message",
        "session_id": 7,
        "handle_id": handle,
        "transaction": heard[2]["transaction"],
        "body": {"request": "join"},
        "jsep": {"type": "answer", "sdp": "v=0 ours"},
    }
    assert len({asked["transaction"] for asked in heard}) == 3


def test_refusals_and_silence_are_told(monkeypatch):
    monkeypatch.setattr(janus, "ANSWER_TIMEOUT_S", 0.2)
    answers = {"create": ({"error": "Room 1 already exists", "error_code": 427}, None), "start": None}
    with virtual_janus(lambda body: answers[body["request"]]) as (port, _):
        control = JanusControl()
        assert control.connect(port)
        control.begin()
        handle = control.attach()
        with pytest.raises(PeerError, match="refuses create: Room 1 already exists"):
            control.ask(handle, create_room(Load()))
        with pytest.raises(PeerError, match="does not answer"):
            control.ask(handle, {"request": "start"})
        with pytest.raises(PeerError, match="No such plugin"):
            control._request({"janus": "attach", "plugin": "janus.plugin.streaming"})
        control.close()


def test_who_does_not_listen_is_no_janus():
    control = JanusControl()
    assert not control.connect(free_port())
    control.close()


def test_its_folder_has_the_recipe_filled_in_and_just_what_is_used(tmp_path, monkeypatch):
    for kind, name in (("plugins", janus.PLUGIN), ("transports", janus.TRANSPORT)):
        (tmp_path / "lib" / kind).mkdir(parents=True)
        (tmp_path / "lib" / kind / name).touch()
        (tmp_path / "lib" / kind / "libjanus_other.so").touch()
    monkeypatch.setattr(janus, "LIBRARY_FOLDERS", ("/nowhere", f"{tmp_path}/l*b"))
    folder = tmp_path / "folder"
    folder.mkdir()
    configure(folder, port=8188, address="198.18.0.1")
    assert {path.name for path in folder.glob("*/*")} == {janus.PLUGIN, janus.TRANSPORT}
    assert (folder / "plugins" / janus.PLUGIN).resolve() == tmp_path / "lib" / "plugins" / janus.PLUGIN
    text = "".join(path.read_text() for path in folder.glob("*.jcfg"))
    assert "@" not in text and "ws_port = 8188" in text and "event_loops = 2" in text
    assert f'plugins_folder = "{folder}/plugins"' in text and 'ice_enforce_list = "198.18.0.1"' in text
    with pytest.raises(Missing, match="libjanus_none.so"):
        find_library("plugins", "libjanus_none.so")


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    setting = Setting(Load(), DtlsCertificate.generate(), tmp_path)
    monkeypatch.setattr(janus.shutil, "which", lambda name: None)
    with pytest.raises(Missing, match="apt-get install janus"):
        start_janus(setting)
    monkeypatch.setattr(janus.shutil, "which", lambda name: name)
    with pytest.raises(Missing, match="loopback"):
        start_janus(setting)


def test_its_version_is_what_it_prints(tmp_path):
    program = tmp_path / "janus"
    program.write_text("#!/bin/sh\necho Janus version: 1102 '(1.1.2)'\n")
    program.chmod(0o755)
    assert version_of(str(program)) == "1.1.2"
    program.write_text("#!/bin/sh\n")
    assert version_of(str(program)) == "?"


def test_the_room_limits_nothing():
    room = create_room(Load(publishers=3))
    assert (room["publishers"], room["bitrate"], room["fir_freq"], room["videocodec"]) == (3, 0, 0, "vp8")
    assert Path(janus.RECIPES / "janus" / "janus.jcfg").exists()
