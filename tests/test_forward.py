"""Forwarding, layer switches and retransmission of the engine, in virtual time."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter import _rtcp, rtp
from tests.virtual import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    TRANSPORT_CC,
    Call,
    Peer,
    Source,
    nack,
    publish_audio,
    publish_video,
    vp8_payload,
    watch,
)

FRAME_US = 33_333


def simulcast(call: Call) -> tuple[Peer, int, list[Source]]:
    publisher = call.peer()
    producer = publish_video(publisher)
    sources = [
        Source(publisher, ssrc=1001 + i, rid=rid, seq=1000 * (i + 1), timestamp=70_000 * (i + 1))
        for i, rid in enumerate("qhf")
    ]
    return publisher, producer, sources


def play(call: Call, sources: list[Source], frames: int, *, answer_plis: bool = True, packets: int = 2) -> None:
    """All sources send frames at 30 a second; a source that is asked for a key frame sends one."""
    peer = sources[0].peer
    for _ in range(frames):
        asked = {struct.unpack("!I", data[8:12])[0] for data in peer.rtcp_of(206, 1)} if answer_plis else set()
        peer.rtcp = [item for item in peer.rtcp if not (item[0] == 206 and item[1] == 1)] if answer_plis else peer.rtcp
        for source in sources:
            source.send_frame(key=source.ssrc in asked, packets=packets)
            source.advance(FRAME_US)
        call.run(FRAME_US)


def seqs(viewer: Peer, ssrc: int = 7000) -> list[int]:
    return [r.header.sequence_number for r in viewer.rtp if r.header.ssrc == ssrc]


def assert_continuous(numbers: list[int]) -> None:
    assert [(b - a) & 0xFFFF for a, b in zip(numbers, numbers[1:], strict=False)] == [1] * (len(numbers) - 1)


def test_audio_goes_through_with_the_viewers_own_numbers():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_audio(publisher)
    watch(viewer, producer, extensions={MID: 9, AUDIO_LEVEL: 3}, payload_type=109)
    source = Source(publisher, 5, payload_type=111, mid="a", clock_rate=48000)
    for i in range(10):
        publisher.send(source.packet(b"opus %d" % i, extensions={AUDIO_LEVEL: b"\x85"}))
        source.advance(20_000)
        call.run(20_000)
    assert [r.header.payload for r in viewer.rtp] == [b"opus %d" % i for i in range(10)]
    assert_continuous(seqs(viewer))
    first = viewer.rtp[0].header
    assert (first.ssrc, first.payload_type, first.sequence_number) == (7000, 109, 500)
    assert first.extensions == {9: b"v", 3: b"\x85"}
    assert call.dropped() == {}


def test_audio_is_numbered_for_the_whole_transport_though_nobody_resends_it():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_audio(publisher), rtx=False, extensions={MID: 9, ABS_SEND_TIME: 2, TRANSPORT_CC: 4})
    source = Source(publisher, 5, payload_type=111, mid="a", clock_rate=48000)
    for _ in range(3):
        publisher.send(source.packet(b"opus"))
        source.advance(20_000)
        call.run(20_000)
    numbers = [int.from_bytes(r.header.extensions[4], "big") for r in viewer.rtp]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert all(len(r.header.extensions[2]) == 3 for r in viewer.rtp)
    nack(viewer, 7000, [500])
    assert len(viewer.rtp) == 3, "one index encrypts one packet"


def test_header_extensions_are_stamped_and_renumbered():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    watch(viewer, producer, extensions={MID: 1, ABS_SEND_TIME: 2, TRANSPORT_CC: 14})
    source = Source(publisher, 5)
    for _ in range(3):
        publisher.send(
            source.packet(vp8_payload(1, key=True), extensions={ABS_SEND_TIME: b"abc", TRANSPORT_CC: b"\0\7"})
        )
        source.advance(1_000_000)
        call.run(1_000_000)
    numbers = [struct.unpack("!H", r.header.extensions[14])[0] for r in viewer.rtp]
    assert numbers == [0, 1, 2]
    stamps = [int.from_bytes(r.header.extensions[2], "big") for r in viewer.rtp]
    assert [(b - a) & 0xFFFFFF for a, b in zip(stamps, stamps[1:], strict=False)] == [1 << 18, 1 << 18]


def test_an_unsignalled_ssrc_makes_no_state_and_harms_nobody():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher)
    watch(viewer, producer)
    for ssrc in range(100):
        stranger = Source(publisher, 90_000 + ssrc, rid="z", mid="nobody")
        publisher.send(stranger.packet(b"xyz"))
    assert viewer.rtp == []
    assert call.dropped() == {"rtp_unknown_ssrc": 100}


def test_best_layer_is_sent_by_default_and_entered_at_key_frames():
    call = Call()
    _, producer, sources = simulcast(call)
    viewer = call.peer()
    consumer = watch(viewer, producer)
    play(call, sources, 60)
    assert call.engine.consumer_figures(consumer)["current_layers"] == (2, 127)
    assert_continuous(seqs(viewer))
    ids = [r.picture_id for r in viewer.rtp]
    assert all((b - a) & 0x7FFF in (0, 1) for a, b in zip(ids, ids[1:], strict=False))


@pytest.mark.parametrize("reports", ["none", "old", "new", "both"])
def test_r1_a_switch_never_waits_for_sender_reports(reports):
    call = Call()
    _, producer, sources = simulcast(call)
    viewer = call.peer()
    consumer = watch(viewer, producer, spatial=0)
    play(call, sources, 30)
    if reports in ("old", "both"):
        sources[0].sender_report(call.now_us)
    if reports in ("new", "both"):
        sources[2].sender_report(call.now_us)
    before = len(viewer.rtp)
    call.engine.set_preferred_layers(consumer, 2, 127)
    play(call, sources, 5)
    assert call.engine.consumer_figures(consumer)["current_layers"] == (2, 127)
    assert len(viewer.rtp) > before
    times = [r.header.timestamp for r in viewer.rtp]
    steps = [(b - a) & 0xFFFFFFFF for a, b in zip(times, times[1:], strict=False)]
    assert all(step < 9000 for step in steps), "timestamps never go back and never jump"


def test_r1_a_dead_layer_is_left_for_the_best_living_one():
    call = Call()
    _, producer, sources = simulcast(call)
    viewer = call.peer()
    consumer = watch(viewer, producer)
    play(call, sources, 60)
    play(call, sources[:2], 60)
    assert call.engine.consumer_figures(consumer)["current_layers"] == (1, 127)
    play(call, sources, 60)
    assert call.engine.consumer_figures(consumer)["current_layers"] == (2, 127)
    assert_continuous(seqs(viewer))


def test_r2_an_unfinished_frame_leaves_a_hole_of_one():
    call = Call()
    _, producer, sources = simulcast(call)
    viewer = call.peer()
    consumer = watch(viewer, producer, spatial=0)
    play(call, sources, 30)
    call.engine.set_preferred_layers(consumer, 1, 127)
    sources[0].peer.send(sources[0].frame(packets=2)[0])  # the second packet of this frame never comes
    sources[1].send_frame(key=True, packets=2)
    numbers = seqs(viewer)
    assert (numbers[-2] - numbers[-3]) & 0xFFFF == 2
    assert (numbers[-1] - numbers[-2]) & 0xFFFF == 1


def test_r2_a_finished_frame_leaves_none():
    call = Call()
    _, producer, sources = simulcast(call)
    viewer = call.peer()
    consumer = watch(viewer, producer, spatial=0)
    play(call, sources, 30)
    call.engine.set_preferred_layers(consumer, 1, 127)
    sources[1].send_frame(key=True, packets=2)
    assert_continuous(seqs(viewer))


def test_r3_a_layer_is_named_by_its_rid_not_by_its_arrival():
    call = Call()
    publisher, producer, sources = simulcast(call)
    viewer = call.peer()
    consumer = watch(viewer, producer, spatial=1)
    for source in (sources[2], sources[0], sources[1]):
        source.send_frame(key=True)
    play(call, sources, 20)
    assert call.engine.consumer_figures(consumer)["current_layers"] == (1, 127)
    figures = call.engine.producer_figures(producer)
    assert [(f["rid"], f["ssrc"]) for f in figures] == [("q", 1001), ("h", 1002), ("f", 1003)]


def test_r4_a_retransmission_is_what_this_viewer_was_first_sent():
    call = Call()
    _, producer, sources = simulcast(call)
    viewers = [call.peer() for _ in range(4)]
    for i, viewer in enumerate(viewers):
        watch(viewer, producer, ssrc=7000, spatial=i % 3, temporal=i % 2 and 1, first_seq=100 * i)
    for n in range(40):
        for source in sources:
            tid = (0, 2, 1, 2)[n % 4]
            source.send_frame(key=n % 20 == 0, tid=tid, sync=tid > 0, packets=2)
            source.advance(FRAME_US)
        call.run(FRAME_US)
    for viewer in viewers:
        first = {r.header.sequence_number: r.header for r in viewer.rtp if r.header.ssrc == 7000}
        viewer.rtp.clear()
        wanted = list(first)[-20:]
        nack(viewer, 7000, wanted)
        again = [r.header for r in viewer.rtp]
        assert len(again) == len(wanted)
        for packet in again:
            original = first[struct.unpack("!H", packet.payload[:2])[0]]
            assert (packet.ssrc, packet.payload_type) == (7001, 121)
            assert packet.payload[2:] == original.payload
            assert (packet.timestamp, packet.marker) == (original.timestamp, original.marker)


def test_r4_without_rtx_a_packet_is_resent_bit_by_bit():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    watch(viewer, producer, rtx=False, extensions={MID: 9, ABS_SEND_TIME: 2, TRANSPORT_CC: 3})
    source = Source(publisher, 5)
    datagrams: list[bytes] = []
    take = viewer.take
    viewer.take = lambda data: (datagrams.append(data), None)[1]  # type: ignore[method-assign]
    source.send_frame(key=True)
    call.run(200_000)
    nack(viewer, 7000, [500])
    sent = [d for d in datagrams if d[1] & 0x7F == 120]
    assert len(sent) == 2 and sent[0] == sent[1], "one SRTP index must not encrypt two different packets"
    viewer.take = take  # type: ignore[method-assign]


@pytest.mark.parametrize("depth", [1, 4, 16])
def test_r5_a_reordered_key_frame_costs_no_request(depth):
    call = Call()
    _, producer, sources = simulcast(call)
    viewer = call.peer()
    consumer = watch(viewer, producer, spatial=0)
    play(call, sources, 30)
    call.engine.set_preferred_layers(consumer, 2, 127)
    call.collect()
    asked = sources[0].peer.plis()
    key = sources[2].frame(key=True, packets=depth + 1)
    for packet in key[1:]:
        sources[2].peer.send(packet)
    assert call.engine.consumer_figures(consumer)["current_layers"] == (0, 127)
    sources[2].peer.send(key[0])
    assert call.engine.consumer_figures(consumer)["current_layers"] == (2, 127)
    got = [r.header.payload for r in viewer.rtp][-(depth + 1) :]
    assert [payload[-3:] for payload in got] == [packet[-3:] for packet in key]
    assert sources[0].peer.plis() == asked
    assert_continuous(seqs(viewer))


def test_r6_many_viewers_ask_and_the_publisher_hears_two_a_second():
    call = Call()
    publisher, producer, sources = simulcast(call)
    viewers = [call.peer() for _ in range(50)]
    for viewer in viewers:
        watch(viewer, producer)
    play(call, sources, 60, answer_plis=True)
    publisher.rtcp.clear()
    for _ in range(30):
        for viewer in viewers:
            viewer.send_rtcp(_rtcp.write("pli", sender_ssrc=1, media_ssrc=7000))
        play(call, sources, 3, answer_plis=False)
    assert 5 <= publisher.plis() <= 7  # three seconds
    figures = call.engine.producer_figures(producer)[2]
    assert figures["key_frames_spared"] > 1000


def test_r6_a_request_is_repeated_until_the_key_frame_comes():
    call = Call()
    publisher, producer, sources = simulcast(call)
    viewer = call.peer()
    consumer = watch(viewer, producer, spatial=0)
    play(call, sources, 30)
    publisher.rtcp.clear()
    call.engine.set_preferred_layers(consumer, 2, 127)
    play(call, sources, 60, answer_plis=False)
    assert 4 <= publisher.plis() <= 5
    sources[2].send_frame(key=True)
    publisher.rtcp.clear()
    play(call, sources, 60, answer_plis=False)
    assert publisher.plis() == 0


def test_r7_a_hundred_who_join_cost_one_request():
    call = Call()
    publisher, producer, sources = simulcast(call)
    play(call, sources, 60)
    publisher.rtcp.clear()
    for _ in range(100):
        viewer = call.peer()
        watch(viewer, producer)
    assert publisher.plis() == 1


def test_r8_one_packet_is_resent_at_most_three_times_and_once_a_round_trip():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    consumer = watch(viewer, producer)
    source = Source(publisher, 5)
    source.send_frame(key=True)
    viewer.rtp.clear()
    for _ in range(20):
        nack(viewer, 7000, [500])
    assert len(viewer.rtp) == 1, "not again within a round trip"
    for _ in range(20):
        call.run(150_000)
        source.send_frame()
        nack(viewer, 7000, [500])
    assert len([r for r in viewer.rtp if r.header.ssrc == 7001]) == 3
    assert call.engine.consumer_figures(consumer)["resent"] == 3


def test_r8_a_storm_for_ever_other_packets_brings_no_more_than_the_stream_itself_and_a_burst():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    consumer = watch(viewer, publish_video(publisher, ()))
    source = Source(publisher, 5)
    for number in range(600):
        source.send_frame(key=number == 0)
        source.advance(1000)
        nack(viewer, 7000, [500 + number - back for back in range(100)])
        call.run(1000)
    figures = call.engine.consumer_figures(consumer)
    assert figures["packets"] == 600 and 600 <= figures["resent"] <= 600 + 256
    assert figures["refused"] + figures["missed"] == figures["nacked"] - figures["resent"]


def test_each_number_asked_for_is_resent_awaited_refused_or_missed():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    consumer = watch(viewer, producer, first_seq=500)
    source = Source(publisher, 9)
    source.send_frame(key=True, packets=3)
    source.seq += 1  # 503 is lost on its way to us
    source.send_frame(packets=2)
    nack(viewer, 7000, [501, 503, 600])
    nack(viewer, 7000, [501])
    figures = call.engine.consumer_figures(consumer)
    assert {name: figures[name] for name in ("nacked", "resent", "awaited", "refused", "missed")} == {
        "nacked": 4,
        "resent": 1,
        "awaited": 1,
        "refused": 1,
        "missed": 1,
    }


def test_r8_publishers_are_asked_for_lost_packets_ten_times_at_most():
    call = Call()
    publisher = call.peer()
    publish_video(publisher, ())
    source = Source(publisher, 5)
    source.send_frame(key=True)
    source.frame()
    for _ in range(60):
        source.send_frame()
        call.run(FRAME_US)
    nacks = publisher.rtcp_of(205, 1)
    assert len(nacks) == 10
    assert all(_rtcp.read(data)["nack"] == [1001] for data in nacks)
    assert 1 <= publisher.plis() <= 3, "given up: a key frame mends the picture"


def rtx_of(source: Source, packet: bytes, seq: int) -> bytes:
    original = rtp.parse(packet)
    return rtp.build(
        payload_type=97,
        sequence_number=seq,
        timestamp=original.timestamp,
        ssrc=source.ssrc + 5000,
        marker=bool(original.marker),
        payload=struct.pack("!H", original.sequence_number) + original.payload,
        extensions={MID: b"0"},
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["rtp", "rtx", "both", "rtx first"]), min_size=1, max_size=40))
def test_r9_whichever_copy_comes_first_is_forwarded_once(ways):
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    watch(viewer, producer)
    source = Source(publisher, 5)
    source.send_frame(key=True)
    for number, way in enumerate(ways):
        (packet,) = source.frame()
        copy = rtx_of(source, packet, number)
        for data in {"rtp": [packet], "rtx": [copy], "both": [packet, copy], "rtx first": [copy, packet]}[way]:
            publisher.send(data)
        source.advance(FRAME_US)
        call.run(1000)
    assert_continuous(seqs(viewer))
    assert len(seqs(viewer)) == len(ways) + 1


def test_temporal_layers_are_left_out_without_gaps():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    consumer = watch(viewer, producer, temporal=0)
    source = Source(publisher, 5)
    for n in range(41):
        tid = (0, 2, 1, 2)[n % 4]
        source.send_frame(key=n == 0, tid=tid, sync=tid > 0, packets=2)
        source.advance(FRAME_US)
        call.run(FRAME_US)
    assert_continuous(seqs(viewer))
    assert len(viewer.rtp) == 22
    ids = [r.picture_id for r in viewer.rtp[::2]]
    assert_continuous(ids)
    call.engine.set_preferred_layers(consumer, 127, 2)
    for n in range(40):
        tid = (2, 1, 2, 0)[n % 4]
        source.send_frame(tid=tid, sync=tid > 0, packets=2)
        source.advance(FRAME_US)
        call.run(FRAME_US)
    assert_continuous(seqs(viewer))
    assert_continuous([r.picture_id for r in viewer.rtp[::2]])
    assert len(viewer.rtp) == 22 + 80


def test_a_late_packet_of_a_layer_left_out_fills_its_place_with_padding():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    watch(viewer, producer, temporal=0)
    source = Source(publisher, 5)
    source.send_frame(key=True)
    (late,) = source.frame(tid=2)
    source.send_frame(tid=0)
    publisher.send(late)
    assert sorted(seqs(viewer)) == [500, 501, 502]
    padding = next(r.header for r in viewer.rtp if r.header.sequence_number == 501)
    assert padding.payload_size == 0 and padding.padding_size == 1


def test_r14_lip_sync_holds_over_a_switch():
    """Whatever layer is sent, sender reports put its pictures at the publisher's own times (STREAMS R14)."""
    call = Call()
    publisher, producer, sources = simulcast(call)
    viewer = call.peer()
    consumer = watch(viewer, producer, spatial=0)
    play(call, sources, 30)
    capture = {}
    for target in (2, 0, 1, 2):
        for source in sources:
            source.sender_report(call.now_us)
        call.engine.set_preferred_layers(consumer, target, 127)
        for _ in range(60):
            asked = {struct.unpack("!I", data[8:12])[0] for data in publisher.rtcp_of(206, 1)}
            publisher.rtcp.clear()
            for source in sources:
                source.send_frame(key=source.ssrc in asked)
                capture[source.picture_id] = call.now_us
            at_us, stamp = call.now_us, viewer.rtp[-1].header.timestamp
            for source in sources:
                source.advance(FRAME_US)
            call.run(FRAME_US)
        report = _rtcp.read(viewer.rtcp_of(200)[-1])["sender_info"]
        ntp_us = (report["ntp"] * 1_000_000) >> 32
        shown_us = ntp_us + ((stamp - report["rtp_timestamp"] + (1 << 31)) % (1 << 32) - (1 << 31)) * 1_000_000 // 90000
        assert abs(shown_us - at_us) < 2000, f"layer {target}: {shown_us - at_us} us apart"


def shown_at_us(viewer: Peer) -> int:
    """When, by the newest sender report, the newest picture was taken: the publisher's time (RFC 3550 6.4.1)."""
    report = _rtcp.read(viewer.rtcp_of(200)[-1])["sender_info"]
    ticks = (viewer.rtp[-1].header.timestamp - report["rtp_timestamp"] + (1 << 31)) % (1 << 32) - (1 << 31)
    return ((report["ntp"] * 1_000_000) >> 32) + ticks * 1_000_000 // 90_000


@pytest.mark.parametrize("happening", ["mute", "new SSRC", "timestamp jump", "sequence jump"])
def test_r14_pictures_are_shown_at_their_time_after(happening):
    """Within 5 s sender reports put pictures back at the publisher's own times, 40 ms off at most."""
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    watch(viewer, producer)
    source = Source(publisher, 9)

    def play_on(frames: int) -> None:
        for frame in range(frames):
            if frame % 30 == 0:
                source.sender_report(call.now_us)
            asked = bool(publisher.rtcp_of(206, 1))
            publisher.rtcp.clear()
            source.send_frame(key=asked or frame == 0)
            call.run(FRAME_US)
            source.advance(FRAME_US)

    play_on(90)
    if happening == "mute":
        call.engine.pause_producer(producer, True)
        play_on(150)
        call.engine.pause_producer(producer, False)
    elif happening == "new SSRC":
        call.run(500_000)
        source = Source(publisher, 10, seq=40_000, timestamp=3_000_000_000)
    elif happening == "timestamp jump":
        source.timestamp += 1_000_000_000
    else:
        source.seq += 20_000
    before = len(viewer.rtp)
    play_on(150)
    assert len(viewer.rtp) - before >= 145
    taken_us = call.now_us - FRAME_US
    assert abs(shown_at_us(viewer) - taken_us) < 40_000
    stamps = [received.header.timestamp for received in viewer.rtp]
    if happening != "timestamp jump":
        steps = [(b - a) % (1 << 32) for a, b in zip(stamps, stamps[1:], strict=False)]
        assert max(steps) < 90_000 * 7, "the viewer's own line of time never jumps"


def test_pause_and_resume_of_a_consumer():
    call = Call()
    publisher, producer, sources = simulcast(call)
    viewer = call.peer()
    consumer = watch(viewer, producer)
    play(call, sources, 60)
    call.engine.pause_consumer(consumer, True)
    before = len(viewer.rtp)
    play(call, sources, 30)
    assert len(viewer.rtp) == before
    call.engine.pause_consumer(consumer, False)
    play(call, sources, 30)
    assert len(viewer.rtp) > before
    assert_continuous(seqs(viewer))
    assert viewer.rtp[before].header.payload[6] & 1 == 0, "it goes on with a key frame"


def test_pause_and_resume_of_a_producer():
    call = Call()
    publisher, producer, sources = simulcast(call)
    viewer = call.peer()
    watch(viewer, producer)
    play(call, sources, 60)
    call.engine.pause_producer(producer, True)
    before = len(viewer.rtp)
    play(call, sources, 30)
    assert len(viewer.rtp) == before
    assert call.dropped()["producer_paused"] == 180
    call.engine.pause_producer(producer, False)
    play(call, sources, 30)
    assert len(viewer.rtp) > before
    assert_continuous(seqs(viewer))


def test_r14_every_forwarded_audio_gets_sender_reports():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_audio(publisher)
    watch(viewer, producer)
    source = Source(publisher, 5, payload_type=111, mid="a", clock_rate=48000)
    publisher.send(source.packet(b"x"))
    source.sender_report(call.now_us)
    call.run(3_000_000)
    reports = [_rtcp.read(data)["sender_info"] for data in viewer.rtcp_of(200)]
    assert len(reports) >= 3
    assert {report["ssrc"] for report in reports} == {7000}
    assert len(viewer.rtcp_of(202)) >= 3


def test_r15_numbers_begin_low_and_wrap_three_times():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    consumer = watch(viewer, producer, first_seq=32767)
    source = Source(publisher, 5, seq=65500)
    for n in range(3 * 65536 // 40):
        packets = source.frame(key=n == 0, packets=40)
        for packet in packets:
            if n and hash((n, packet[2])) % 10 == 0:
                continue
            publisher.send(packet)
        source.advance(FRAME_US)
        call.now_us += FRAME_US
        if n % 50 == 0:
            viewer.rtp = viewer.rtp[-1:]
            publisher.check()
            viewer.check()
    assert call.dropped() == {}
    assert call.engine.consumer_figures(consumer)["packets"] > 170_000


def test_r23_ids_and_payload_types_are_each_viewers_own():
    call = Call()
    publisher = call.peer()
    producer = publish_video(publisher, ())
    viewers = [call.peer() for _ in range(3)]
    for i, viewer in enumerate(viewers):
        watch(viewer, producer, payload_type=100 + i, extensions={MID: 1 + i, TRANSPORT_CC: 5 + i})
    Source(publisher, 5).send_frame(key=True)
    for i, viewer in enumerate(viewers):
        header = viewer.rtp[0].header
        assert header.payload_type == 100 + i
        assert set(header.extensions) == {1 + i, 5 + i}


def test_a_closed_consumer_says_good_bye():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    consumer = watch(viewer, producer)
    call.engine.remove_consumer(consumer)
    call.collect()
    assert _rtcp.read(viewer.rtcp_of(203)[0])["bye"] == [7000, 7001]
    Source(publisher, 5).send_frame(key=True)
    assert viewer.rtp == []
