"""Frames wait to be whole, but not long, and audio never; what leaves is the same as without waiting."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_forward import FRAME_US, assert_continuous, seqs
from tests.virtual import Call, Peer, Source, publish_audio, publish_video, watch

GATHER_US = 1000


def one_viewer(gather_us: int = GATHER_US) -> tuple[Call, Source, Peer, int]:
    call = Call(gather_us)
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    watch(viewer, producer)
    source = Source(publisher, 9)
    source.send_frame(key=True)
    return call, source, viewer, producer


def test_a_frame_leaves_when_its_last_packet_is_there():
    call, source, viewer, _ = one_viewer()
    before = len(viewer.rtp)
    packets = source.frame(packets=4)
    for packet in packets[:-1]:
        source.peer.send(packet)
        assert len(viewer.rtp) == before
    source.peer.send(packets[-1])
    assert len(viewer.rtp) == before + 4
    assert_continuous(seqs(viewer))


def test_without_its_last_packet_a_frame_waits_for_a_millisecond():
    call, source, viewer, _ = one_viewer()
    before = len(viewer.rtp)
    packets = source.frame(packets=3)
    source.peer.send(packets[0])
    call.run(600)
    source.peer.send(packets[1])
    call.run(GATHER_US - 601)
    assert len(viewer.rtp) == before
    call.run(1)
    assert len(viewer.rtp) == before + 2, "counted from the first packet"
    assert call.engine.take_longest_gathered_us() == GATHER_US
    assert call.engine.take_longest_gathered_us() == 0
    source.peer.send(packets[2])
    assert len(viewer.rtp) == before + 3


def test_a_large_frame_leaves_in_slices():
    call, source, viewer, _ = one_viewer()
    before = len(viewer.rtp)
    for packet in source.frame(packets=40)[:-1]:
        source.peer.send(packet)
    assert len(viewer.rtp) == before + 32
    call.run(GATHER_US)
    assert len(viewer.rtp) == before + 39


def test_audio_never_waits():
    call = Call(GATHER_US)
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_audio(publisher))
    source = Source(publisher, 5, payload_type=111, mid="a", clock_rate=48000)
    for count in range(1, 5):
        publisher.send(source.packet(b"opus", marker=False))
        assert len(viewer.rtp) == count


def test_in_turns_audio_overtakes_the_fan_out_of_frames_that_came_before_it():
    call = Call()
    call.engine.set_gather(GATHER_US, in_turns=True)
    talker, publishers, viewer = call.peer(), [call.peer() for _ in range(4)], call.peer()
    watch(viewer, publish_audio(talker), ssrc=6000)
    sources = [Source(publisher, 9) for publisher in publishers]
    for i, (source, publisher) in enumerate(zip(sources, publishers, strict=True)):
        producer = publish_video(publisher, ())
        source.send_frame(key=True)
        watch(viewer, producer, ssrc=7000 + i)
        source.send_frame(key=True)
        call.run(GATHER_US)
    viewer.rtp.clear()
    frames = [(source.peer, packet) for source in sources for packet in source.frame(packets=25)]
    voice = Source(talker, 5, payload_type=111, mid="a", clock_rate=48000).packet(b"opus", marker=False)
    batch = [(peer.srtp.protect(packet), peer.address) for peer, packet in [*frames, (talker, voice)]]
    call.engine.handle_batch(batch, call.now_us)
    counts = [turn_of(call, viewer)]
    assert viewer.rtp[0].header.payload == b"opus", "which came last"
    while call.engine.poll_timeout() <= call.now_us:
        call.engine.handle_timeout(call.now_us)
        counts.append(turn_of(call, viewer))
    assert counts == [76, 101], "a turn ends with the frame that makes 64 copies or more"
    assert {received.at_us for received in viewer.rtp} == {call.now_us}


def turn_of(call: Call, viewer: Peer) -> int:
    call.collect()
    return len(viewer.rtp)


def test_reordered_packets_of_a_frame_leave_in_order():
    call, source, viewer, _ = one_viewer()
    packets = source.frame(packets=5)
    for i in (2, 0, 3, 1, 4):
        source.peer.send(packets[i])
    assert_continuous(seqs(viewer))
    assert len(viewer.rtp) == 6


def test_a_key_frame_in_any_order_is_entered_without_another_request():
    call = Call(GATHER_US)
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    source = Source(publisher, 9)
    source.send_frame(key=True)
    watch(viewer, producer)
    call.run(700_000)
    source.send_frame()
    asked = publisher.plis()
    packets = source.frame(key=True, packets=4)
    for i in (1, 2, 0, 3):
        publisher.send(packets[i])
    assert [received.header.payload[-3:] for received in viewer.rtp] == [packet[-3:] for packet in packets]
    assert publisher.plis() == asked
    assert_continuous(seqs(viewer))


def test_what_waits_when_its_producer_pauses_or_closes_is_not_sent():
    call, source, viewer, producer = one_viewer()
    before = len(viewer.rtp)
    source.peer.send(source.frame(packets=2)[0])
    call.engine.pause_producer(producer, True)
    call.run(GATHER_US)
    assert len(viewer.rtp) == before
    assert call.dropped() == {"producer_paused": 1}
    call.engine.pause_producer(producer, False)
    source.peer.send(source.frame(packets=2)[0])
    call.engine.remove_producer(producer)
    call.run(5 * GATHER_US)
    assert len(viewer.rtp) == before


def test_what_waits_when_its_viewer_leaves_harms_nobody():
    call, source, viewer, producer = one_viewer()
    other = call.peer()
    consumer = watch(other, producer, ssrc=8000)
    source.send_frame(key=True)
    before = len(viewer.rtp)
    source.peer.send(source.frame(packets=2)[0])
    call.engine.remove_consumer(consumer)
    call.engine.remove_transport(other.handle)
    call.run(GATHER_US)
    assert len(viewer.rtp) == before + 1


@settings(max_examples=60, deadline=None)
@given(
    frames=st.lists(st.integers(1, 6), min_size=3, max_size=12),
    lost=st.sets(st.integers(0, 60), max_size=6),
    swaps=st.sets(st.integers(0, 60), max_size=6),
)
def test_gathered_or_not_a_viewer_gets_the_same_packets(frames, lost, swaps):
    def received(gather_us: int) -> dict[int, bytes]:
        call, source, viewer, _ = one_viewer(gather_us)
        packets = [packet for count in frames for packet in source.frame(packets=count)]
        order = [i for i in range(len(packets)) if i not in lost]
        for i in swaps:
            if i + 1 < len(order):
                order[i], order[i + 1] = order[i + 1], order[i]
        for i in order:
            source.peer.send(packets[i])
            call.run(200)
        call.run(FRAME_US)
        got = [r.header for r in viewer.rtp if r.header.ssrc == 7000 and r.header.payload_size]
        assert len({header.sequence_number for header in got}) == len(got)
        return {header.sequence_number: header.payload for header in got}

    assert received(GATHER_US) == received(0)


@pytest.mark.parametrize("gather_us", [-1, 10_001])
def test_senseless_times_are_refused(gather_us):
    with pytest.raises(ValueError, match="gathered"):
        Call(gather_us)
