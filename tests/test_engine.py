"""Commands of the engine: bounds, errors, figures."""

import pytest

from mediarouter._engine import Engine, read_address, ufrag_prefix
from mediarouter.errors import InvalidStateError
from tests.virtual import Call, Source, publish_video, watch


def test_a_callers_mistake_is_told_and_changes_nothing():
    engine = Engine()
    handle = engine.add_transport(1, b"cname")
    for call in (
        lambda: engine.add_transport(1, b"x" * 32),
        lambda: engine.set_ice_credentials(handle, b"u" * 33, b"p"),
        lambda: engine.set_ice_credentials(handle, b"u", b"p" * 65),
        lambda: engine.set_extensions(handle, {0: 1}),
        lambda: engine.set_extensions(handle, {1: 99}),
        lambda: engine.handle_batch([(bytes(3000), ("1.2.3.4", 5))], 0),
        lambda: engine.handle_batch([(b"x", ("no address", 5))], 0),
    ):
        with pytest.raises((ValueError, OSError)):
            call()
    with pytest.raises(InvalidStateError, match="do not fit"):
        engine.set_keys(handle, 7, b"short", b"short")
    engine.set_keys(handle, 7, bytes(28), bytes(28))
    with pytest.raises(InvalidStateError, match="already"):
        engine.set_keys(handle, 7, bytes(28), bytes(28))
    assert engine.transport_figures(handle)["has_keys"]


def test_the_ufrag_leads_to_the_transport():
    engine = Engine()
    handles = [engine.add_transport(1, b"c") for _ in range(40)]
    prefixes = [ufrag_prefix(handle) for handle in handles]
    assert len(set(prefixes)) == 40
    assert prefixes[0] == "AAAA" and prefixes[33] == "AABB"


def test_addresses_of_events_are_read():
    call = Call()
    peer = call.peer()
    selected = [payload for kind, handle, _, _, payload in call.engine.read_events() if handle == peer.handle]
    assert read_address(selected[0]) == (*peer.address, "udp")
    with pytest.raises(ValueError):
        read_address(b"short")


def test_figures_of_a_call():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    consumer = watch(viewer, producer)
    source = Source(publisher, 5)
    for n in range(30):
        source.send_frame(key=n == 0)
        source.advance(33_333)
        call.run(33_333)
    sent = call.engine.consumer_figures(consumer)
    got = call.engine.producer_figures(producer)[0]
    assert sent["packets"] == got["packets"] == got["expected"] == 30
    assert got["key_frames"] == 1 and got["alive"]
    assert call.engine.transport_figures(viewer.handle)["packets_sent"] >= 30
    assert call.engine.counters()["rtp_packets_forwarded"] == 30
    assert call.engine.latency() == [0] * 24
