"""The event ring's records, and callbacks by name."""

import logging
import struct

import pytest

from mediarouter import _events
from mediarouter.events import Emitter
from tests.virtual import Call, Peer


def test_records_are_read_back():
    record = struct.pack("=HHIqq", _events.LAYERS, 0, 7, 2, 127)
    data = struct.pack("=HHIqq", _events.DTLS, 3, 9, 0, 0) + b"abc" + bytes(5)
    assert _events.read_events(record + data) == [(_events.LAYERS, 7, 2, 127, b""), (_events.DTLS, 9, 0, 0, b"abc")]
    for cut in range(len(record)):
        assert _events.read_events(record[:cut]) == []


def test_a_full_ring_loses_events_and_counts_them():
    call = Call()
    peer = Peer(call)
    peer.check()
    call.engine.want_dtls(peer.handle)
    for _ in range(1000):
        call.deliver(b"\x16\xfe\xfd" + bytes(1400), peer.address)
    lost = call.dropped()["event_ring_full"]
    events = call.engine.read_events()
    assert lost > 0 and len(events) == 1001 - lost
    call.deliver(b"\x16\xfe\xfd" + bytes(1400), peer.address)
    assert len(call.engine.read_events()) == 1


class Thing(Emitter):
    events = frozenset({"happens"})


def test_callbacks_come_in_order_and_one_that_raises_harms_no_other(caplog):
    thing, heard = Thing(), []
    thing.on("happens", heard.append)
    thing.on("happens", lambda value: 1 / 0)
    off = thing.on("happens", lambda value: heard.append(value * 2))
    with caplog.at_level(logging.ERROR, "mediarouter"):
        thing.emit("happens", 1)
    assert heard == [1, 2] and "Thing" in caplog.text
    off()
    off()
    thing.emit("happens", 5)
    assert heard == [1, 2, 5]


def test_an_event_nobody_sends_is_a_callers_mistake():
    with pytest.raises(ValueError, match="happens"):
        Thing().on("never", print)
