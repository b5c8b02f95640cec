"""Bursts to a viewer are spread, in the engine: STREAMS R18 and what may go wrong while packets wait."""

import pytest

from mediarouter import _downlink_commands
from mediarouter._balance import balance_of
from tests.virtual import AUDIO_LEVEL, MID, TRANSPORT_CC, Call, Peer, Source, nack, publish_audio, publish_video, watch

MS, SECOND = 1000, 1_000_000
BEGUN_BPS = 1_000_000
PACING_BPS = BEGUN_BPS * 3 // 2
SIZE = 1100


class Room:
    """One camera, one voice, and a viewer of both whose network is watched."""

    def __init__(self, start_bps: int = BEGUN_BPS, rtx: bool = True) -> None:
        self.call = Call()
        self.viewer = self.call.peer()
        self.publisher = self.call.peer()
        self.camera = publish_video(self.publisher)
        self.source = Source(self.publisher, 1001, rid="q")
        self.voice = Source(self.publisher, 2001, payload_type=111, mid="a", clock_rate=48000)
        microphone = publish_audio(self.publisher)
        _downlink_commands.begin(self.call.engine, self.viewer.handle, start_bps, 10_000, 20_000_000)
        ids = {MID: 9, AUDIO_LEVEL: 3, TRANSPORT_CC: TRANSPORT_CC}
        self.video = watch(self.viewer, self.camera, ssrc=7000, extensions=ids, rtx=rtx)
        self.audio = watch(self.viewer, microphone, ssrc=6000, extensions=ids, rtx=False)

    def frame(self, packets: int = 3, *, key: bool = False) -> None:
        for packet in self.source.frame(key=key, packets=packets, fill=SIZE):
            self.publisher.send(packet)
        self.source.advance(33_333)

    def film(self, frames: int, each_us: int) -> None:
        """A key frame, and when it is through so many others."""
        self.frame(10, key=True)
        self.call.run(300 * MS)
        for _ in range(frames):
            self.frame(2)
            self.call.run(each_us)

    def talk(self) -> None:
        self.publisher.send(self.voice.packet(bytes(80)))
        self.voice.advance(20_000)

    def seen(self, ssrc: int = 7000) -> list[int]:
        return [item.header.sequence_number for item in self.viewer.rtp if item.header.ssrc == ssrc]

    def times(self, ssrc: int = 7000) -> list[int]:
        return [item.at_us for item in self.viewer.rtp if item.header.ssrc == ssrc]

    def figures(self) -> dict[str, int]:
        found = _downlink_commands.figures(self.call.engine, self.viewer.handle)
        assert found is not None
        return found

    def even(self) -> None:
        assert not any(balance_of(self.call.engine.counters()).values())


def test_r18_ordinary_frames_do_not_wait_where_the_network_carries_five_times_of_them():
    room = Room(5 * BEGUN_BPS)
    room.frame(key=True)
    room.call.run(100 * MS)
    room.viewer.rtp.clear()
    for _ in range(60):
        before = room.call.now_us
        room.frame()
        assert room.times()[-3:] == [before] * 3
        room.call.run(33_333)
    assert room.figures()["paced"] == 0


def test_r18_a_burst_is_spread_in_order_and_audio_overtakes_it():
    room = Room()
    begin_us = room.call.now_us
    room.frame(40, key=True)
    at_once = len(room.seen())
    assert at_once * SIZE * 8 <= PACING_BPS * 5 // 1000 + 2 * SIZE * 8
    room.talk()
    assert room.times(6000) == [begin_us], "audio never waits"
    room.call.run(15 * MS)
    room.talk()
    assert room.times(6000)[-1] == room.call.now_us
    room.call.run(300 * MS)
    first = room.seen()[0]
    assert room.seen() == [(first + i) & 0xFFFF for i in range(40)]
    waits = [at - begin_us for at in room.times()]
    assert max(waits) == pytest.approx(40 * (SIZE + 60) * 8 * SECOND / PACING_BPS - 5 * MS, abs=12 * MS)
    largest = max(waits.count(wait) for wait in set(waits) if wait)
    assert largest * SIZE * 8 <= PACING_BPS * 8 // 1000 + SIZE * 8, "slices of a few packets"
    assert room.figures()["paced"] == 40 - at_once
    assert room.figures()["pace_longest_us"] == max(waits)
    assert room.figures()["pace_wait_us"] == 0
    room.even()


def test_r18_the_wait_is_bounded_where_the_network_carries_what_is_sent():
    """Key frames of five times the size, one a second, in a stream of a third of the estimate."""
    room = Room(2 * BEGUN_BPS)
    for number in range(90):
        room.frame(9 if number % 30 == 0 else 2, key=number % 30 == 0)
        room.call.run(33_333)
    assert 0 < room.figures()["pace_longest_us"] <= 40 * MS
    room.even()


def test_nothing_waits_longer_than_a_quarter_of_a_second():
    room = Room(10_000)
    begin_us = room.call.now_us
    room.frame(60, key=True)
    room.call.run(SECOND)
    assert len(room.seen()) == 60
    assert 150 * MS < room.times()[-1] - begin_us <= 256 * MS


def test_numbers_of_the_transport_are_given_as_packets_leave():
    room = Room()
    room.frame(30, key=True)
    for _ in range(20):
        room.call.run(10 * MS)
        room.talk()
    numbers = [int.from_bytes(item.header.extensions[TRANSPORT_CC], "big") for item in room.viewer.rtp]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_storm_of_retransmissions_is_spread_and_goes_before_media():
    room = Room()
    room.film(20, 33_333)
    room.viewer.rtp.clear()
    begin_us = room.call.now_us
    last = (room.source.seq - 1 - 1000) + 500
    nack(room.viewer, 7000, [last - i for i in range(30)])
    room.frame(2)
    room.call.run(300 * MS)
    again, new = room.times(7001), room.times(7000)
    assert len(again) == 30 and len(new) == 2
    assert max(again) - begin_us > 50 * MS
    assert min(new) >= max(again)
    room.even()


def test_what_the_budget_of_retransmissions_refused_is_sent_again_when_it_has_filled():
    room = Room()
    room.film(20, 5 * MS)
    room.call.run(200 * MS)
    lost = room.seen()[-40:]
    room.viewer.rtp.clear()
    for _ in range(8):
        if lost:
            nack(room.viewer, 7000, lost)
        room.call.run(200 * MS)
        again = [item.header for item in room.viewer.rtp if item.header.ssrc == 7001 and item.header.payload_size]
        got = {int.from_bytes(header.payload[:2], "big") for header in again}
        lost = [seq for seq in lost if seq not in got]
    assert lost == []
    room.even()


def test_nothing_is_sent_again_to_who_has_no_consent_any_more():
    room = Room()
    room.frame(3, key=True)
    room.call.run(31 * SECOND)
    room.viewer.rtp.clear()
    nack(room.viewer, 7000, [500, 501])
    room.call.run(SECOND)
    assert room.viewer.rtp == []
    room.even()


def test_without_a_retransmission_stream_a_packet_is_sent_again_as_it_was():
    room = Room(rtx=False)
    room.frame(40, key=True)
    room.call.run(300 * MS)
    room.viewer.rtp.clear()
    again = []
    room.viewer.take = again.append  # type: ignore[method-assign, assignment]
    nack(room.viewer, 7000, [500 + i for i in range(30)])
    room.call.run(300 * MS)
    assert len(again) >= 30
    room.even()


@pytest.mark.parametrize("ends", ["consumer", "viewer", "producer", "publisher", "restart"])
def test_what_waits_for_somebody_who_is_gone_is_counted(ends: str) -> None:
    room = Room()
    engine = room.call.engine
    room.frame(40, key=True)
    waiting = engine.counters()["rtp_copies_held"]
    assert waiting > 20
    if ends == "consumer":
        engine.remove_consumer(room.video)
    elif ends == "viewer":
        engine.remove_transport(room.viewer.handle)
    elif ends == "producer":
        engine.remove_producer(room.camera)
    elif ends == "publisher":
        engine.remove_transport(room.publisher.handle)
    else:
        room.source.seq += 20_000
        room.frame(1)
    room.even()
    room.call.run(SECOND)
    counters = engine.counters()
    assert counters["rtp_copies_held"] == 0
    if ends != "restart":
        assert counters["rtp_copies_left_gone"] == waiting
    else:
        assert len(room.seen()) == 40, "the slab still has them"
    room.even()


def test_what_waits_when_the_viewer_pauses_is_still_sent_since_its_numbers_are_given():
    room = Room()
    room.frame(40, key=True)
    room.call.engine.pause_consumer(room.video, True)
    room.call.run(SECOND)
    assert len(room.seen()) == 40


def test_probes_send_again_what_was_sent():
    """From the start on, the network is probed at three and six times the estimate."""
    room = Room(300_000)
    room.frame(2, key=True)
    room.call.run(200 * MS)
    counters = room.call.engine.counters()
    assert room.figures()["probes"] >= 2
    assert room.figures()["probe_packets"] > 0
    assert counters["rtp_packets_resent"] > 0
    room.even()


def test_a_probe_without_anything_to_send_again_is_padding_on_the_retransmission_stream():
    room = Room(300_000)
    room.call.run(200 * MS)
    padding = [item.header for item in room.viewer.rtp]
    assert padding and {header.ssrc for header in padding} == {7001}
    assert all(header.padding_size == 224 and header.payload_size == 0 for header in padding)
    seqs = [header.sequence_number for header in padding]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert room.call.engine.counters()["rtp_packets_padding"] == len(padding)
    assert room.figures()["probe_packets"] == len(padding)
    room.even()


def test_a_viewer_whose_network_is_not_watched_gets_all_at_once():
    call = Call()
    viewer: Peer = call.peer()
    publisher = call.peer()
    source = Source(publisher, 1001, rid="q")
    watch(viewer, publish_video(publisher), ssrc=7000)
    for packet in source.frame(key=True, packets=60, fill=SIZE):
        publisher.send(packet)
    assert len(viewer.rtp) == 60
