"""What strangers, liars and broken clients send: refused, counted, and nobody else notices."""

import os
import struct

import pytest

from mediarouter import _rtcp, _rtp
from mediarouter._engine import Engine, ufrag_prefix
from mediarouter.errors import InvalidStateError
from tests.virtual import MID, PASSWORD, Call, Peer, Source, binding_request, publish_audio, publish_video, watch


def test_garbage_of_every_kind_is_counted_and_changes_nothing():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_audio(publisher)
    watch(viewer, producer)
    source = Source(publisher, 5, payload_type=111, mid="a")
    for n in range(300):
        call.deliver(os.urandom(n), ("192.0.2.9", 999))
        call.deliver(bytes((n & 255,)) + os.urandom(n), publisher.address)
        publisher.send(source.packet(b"audio"))
    assert len(viewer.rtp) == 300
    assert sum(call.dropped().values()) >= 500


def test_media_from_an_address_nobody_vouched_for_is_refused():
    call = Call()
    publisher = call.peer()
    publish_audio(publisher)
    packet = publisher.srtp.protect(Source(publisher, 5, payload_type=111, mid="a").packet(b"x"))
    call.deliver(packet, ("10.9.9.9", 5))
    assert call.dropped() == {"unknown_address": 1}


def test_a_replayed_packet_is_refused():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_audio(publisher))
    datagram = publisher.send(Source(publisher, 5, payload_type=111, mid="a").packet(b"x"))
    call.deliver(datagram, publisher.address)
    assert call.dropped() == {"srtp_replay": 1}
    assert len(viewer.rtp) == 1


def test_a_packet_with_a_wrong_tag_is_refused():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_audio(publisher))
    datagram = bytearray(publisher.srtp.protect(Source(publisher, 5, payload_type=111, mid="a").packet(b"x")))
    datagram[-1] ^= 1
    call.deliver(bytes(datagram), publisher.address)
    assert call.dropped() == {"srtp_auth": 1}
    assert viewer.rtp == []


def test_nothing_is_taken_before_the_keys_are_there():
    call = Call()
    early = Peer(call)
    early.check()
    call.deliver(early.srtp.protect(Source(early, 5).packet(b"x")), early.address)
    call.deliver(early.srtp.protect_rtcp(_rtcp.write("pli", sender_ssrc=1, media_ssrc=2)), early.address)
    call.deliver(b"\x16\xfe\xfd" + bytes(20), early.address)
    assert call.dropped() == {"srtp_no_keys": 2, "dtls_early": 1}


@pytest.mark.parametrize(
    ("username", "password", "reason"),
    [
        (b"wrongfrag:peer", PASSWORD, "stun_unknown_ufrag"),
        (b"AAAA:peer", PASSWORD, "stun_unknown_ufrag"),
        (b"!!!!rest:peer", PASSWORD, "stun_unknown_ufrag"),
        (None, b"wrong password", "stun_integrity"),
    ],
)
def test_a_check_with_wrong_credentials_is_refused(username, password, reason):
    call = Call()
    peer = Peer(call)
    call.deliver(binding_request(username or peer.ufrag + b":peer", password), peer.address)
    assert call.dropped() == {reason: 1}
    assert peer.plain == []
    assert call.engine.transport_figures(peer.handle)["pairs"] == 0


def test_r24_strangers_checks_cost_no_memory():
    call = Call()
    Peer(call)
    before = call.engine.counters()["slab_bytes"]
    for n in range(20_000):
        call.engine.handle_batch([(binding_request(b"AAAA%04x:x" % n, b"p"), ("10.1.1.1", 1 + n % 60000))], call.now_us)
    assert call.dropped() == {"stun_unknown_ufrag": 20_000}
    assert call.engine.poll_transmit() == []
    assert call.engine.counters()["slab_bytes"] == before


def test_r24_without_checks_sending_stops_within_thirty_seconds():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_audio(publisher))
    source = Source(publisher, 5, payload_type=111, mid="a")
    for _ in range(320):
        publisher.check()
        publisher.send(source.packet(b"x"))
        call.run(100_000)
    last_us = viewer.rtp[-1].at_us - 1_000_000_000
    assert 29_000_000 <= last_us <= 30_600_000
    events = [kind for kind, handle, *_ in call.engine.read_events() if handle == viewer.handle]
    assert events.count(3) == 1, "the control plane hears of it once"
    viewer.check()
    publisher.send(source.packet(b"x"))
    assert viewer.rtp[-1].at_us - 1_000_000_000 > last_us, "a check brings it back"


def test_a_new_address_is_believed_after_a_check_and_not_before():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_audio(publisher))
    source = Source(publisher, 5, payload_type=111, mid="a")
    call.run(4_000_000)
    moved = ("10.7.7.7", 7)
    call.deliver(viewer.srtp.protect_rtcp(_rtcp.write("pli", sender_ssrc=1, media_ssrc=2)), moved)
    assert call.dropped() == {"unknown_address": 1}
    viewer.check(address=moved)
    viewer.address = moved
    publisher.send(source.packet(b"x"))
    assert len(viewer.rtp) == 1


def test_a_peer_cannot_use_the_streams_of_another():
    call = Call()
    publisher, thief, viewer = call.peer(), call.peer(), call.peer()
    watch(viewer, publish_audio(publisher))
    Source(publisher, 5, payload_type=111, mid="a").peer.send(
        Source(publisher, 5, payload_type=111, mid="a").packet(b"true")
    )
    thief.send(Source(thief, 5, payload_type=111, mid="a").packet(b"false"))
    thief.send_rtcp(_rtcp.write("bye", ssrcs=[5]))
    assert [r.header.payload for r in viewer.rtp] == [b"true"]
    assert call.dropped() == {"rtp_unknown_ssrc": 1}


def test_r23_extension_ids_0_and_15_end_the_search():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_audio(publisher), extensions={MID: 9, 4: 3})
    head = struct.pack("!BBHIIHH", 0x90, 111, 1, 2, 5, 0xBEDE, 2)
    publisher.send(head + b"\x10a" + b"\xf0\x00" + b"\x40\x05\x00\x00" + b"payload")
    assert viewer.rtp[0].header.extensions == {9: b"v"}


def test_an_encoding_changes_its_ssrc_at_most_once_a_second():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    watch(viewer, producer)
    for n in range(5):
        Source(publisher, 50 + n).send_frame(key=True)
        call.run(250_000)
    assert call.dropped()["rtp_unknown_ssrc"] == 3
    assert call.engine.producer_figures(producer)[0]["ssrc"] == 54


def test_rtcp_that_nobody_asked_for_is_ignored():
    call = Call()
    viewer = call.peer()
    for packet in (
        _rtcp.write("remb", sender_ssrc=1, ssrcs=[9], bitrate_bps=5),
        _rtcp.write("nack", sender_ssrc=1, media_ssrc=9, seqs=[1, 2, 3]),
        _rtcp.write("fir", sender_ssrc=1, media_ssrc=9, command_seq=1),
        b"\x80\xcc\x00\x02" + bytes(8),
        b"\x8f\xcd\x00\x05" + bytes.fromhex("FA17FA17 39E94238 00010002 BD57AA00 20028C44"),
    ):
        viewer.send_rtcp(packet)
    assert call.dropped() == {}
    assert call.engine.transport_figures(viewer.handle)["remb_bps"] == 5
    assert call.engine.transport_figures(viewer.handle)["twcc_received"] == 2


def test_commands_for_what_is_gone_raise_and_change_nothing():
    engine = Engine()
    handle = engine.add_transport(1, b"c")
    engine.remove_transport(handle)
    engine.remove_transport(handle)
    for command in (
        lambda: engine.set_ice_credentials(handle, b"u", b"p"),
        lambda: engine.want_dtls(handle),
        lambda: engine.set_extensions(handle, {1: 1}),
        lambda: engine.transport_figures(handle),
        lambda: engine.pause_producer(5, True),
        lambda: engine.set_preferred_layers(5, 1, 1),
        lambda: engine.consumer_figures(5),
    ):
        with pytest.raises(InvalidStateError):
            command()
    again = engine.add_transport(1, b"c")
    assert ufrag_prefix(again) == ufrag_prefix(handle) and again != handle


def test_a_new_transport_in_an_old_place_does_not_hear_the_old_ones_checks():
    call = Call()
    old = Peer(call)
    request = binding_request(old.ufrag + b":peer", PASSWORD)
    call.engine.remove_transport(old.handle)
    new = call.engine.add_transport(1, b"c")
    call.engine.set_ice_credentials(new, ufrag_prefix(new).encode() + b"else", b"other")
    call.deliver(request, old.address)
    assert call.dropped() == {"stun_unknown_ufrag": 1}


def test_churn_leaves_nothing_behind():
    call = Call()
    for round_ in range(300):
        publisher, viewers = call.peer(), [call.peer() for _ in range(3)]
        producer = publish_video(publisher)
        for viewer in viewers:
            watch(viewer, producer)
        Source(publisher, 1001, rid="q").send_frame(key=True, packets=3)
        for peer in (publisher, *viewers):
            call.engine.remove_transport(peer.handle)
        call.collect()
        call.peers.clear()
        if round_ == 10:
            early = call.engine.counters()["slab_bytes"]
    assert call.engine.counters()["slab_bytes"] == early
    assert call.engine.poll_timeout() is None
    assert _rtp.kind_of_datagram(b"") == "unknown"
