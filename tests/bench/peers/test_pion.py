"""The orders to Pion's router, with a program that only refuses; and which version it is of."""

import pytest

from mediarouter.bench.load import Load
from mediarouter.bench.peers import pion
from mediarouter.bench.peers.peer import RECIPES, Missing, Setting
from mediarouter.bench.peers.pion import start_pion, version_of
from mediarouter.bench.peers.processes import PeerError
from mediarouter.transports.dtls import DtlsCertificate

REFUSING = """#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"error": f"{asked['do']} {asked.get('tracks')} {asked['sdp'][:3]}"}), flush=True)
"""


@pytest.fixture
def setting(tmp_path):
    return Setting(Load(publishers=2), DtlsCertificate.generate(), tmp_path)


def test_orders_go_out_and_refusals_come_back(tmp_path, setting, monkeypatch):
    program = tmp_path / "program"
    program.write_text(REFUSING)
    program.chmod(0o755)
    monkeypatch.setattr(pion, "pion_program", lambda: program)
    peer = start_pion(setting)
    try:
        assert peer.version.startswith("webrtc 4.") and peer.pid > 0
        with pytest.raises(PeerError, match="refuses to publish: publish None v=0"):
            peer.publish(1000)
        with pytest.raises(PeerError, match="refuses to subscribe: subscribe 2 v=0"):
            peer.subscribe()
    finally:
        peer.close()


def test_its_version_is_of_the_recipe(tmp_path, setting, monkeypatch):
    assert version_of("require (\n\tgithub.com/pion/webrtc/v4 v4.1.2\n)") == "4.1.2"
    assert version_of("module x") == "?"
    assert version_of((RECIPES / "pion" / "go.mod").read_text()) != "?"
    monkeypatch.setattr(pion, "pion_program", lambda: tmp_path / "nothing")
    with pytest.raises(Missing, match="--build"):
        start_pion(setting)
