"""A viewer gets what its network carries: layers follow a link that narrows and opens, in virtual time."""

from collections.abc import Callable

import pytest

from mediarouter import _downlink_commands
from mediarouter.congestion import TwccRecorder
from mediarouter.errors import InvalidStateError
from mediarouter.rtcp import Remb
from tests.virtual import MID, TRANSPORT_CC, Call, Peer, Source, nack, publish_audio, publish_video, vp8_payload, watch

MS, SECOND = 1000, 1_000_000
RATES_BPS = (150_000, 500_000, 1_500_000)
OVERHEAD = 44 + 12 + 12  # of a packet: IP, UDP and SRTP; RTP; its extensions
START_BPS = 1_000_000


class Camera:
    """Three encodings of one picture, two temporal layers each; a key frame where it is asked for."""

    def __init__(self, peer: Peer, first_ssrc: int) -> None:
        self.peer = peer
        self.producer = publish_video(peer)
        rids = zip(("q", "h", "f"), range(first_ssrc, first_ssrc + 3), strict=True)
        self.sources = [Source(peer, ssrc, rid=rid) for rid, ssrc in rids]
        self.frames = 0
        self.off: set[int] = set()  # encodings that are not sent

    def wanted(self) -> set[int]:
        asked = {int.from_bytes(data[8:12], "big") for kind, form, data in self.peer.rtcp if (kind, form) == (206, 1)}
        self.peer.rtcp.clear()
        return asked

    def frame(self) -> None:
        wanted = self.wanted()
        upper = self.frames % 2
        for i, (source, rate_bps) in enumerate(zip(self.sources, RATES_BPS, strict=True)):
            if i in self.off:
                continue
            key = self.frames == 0 or source.ssrc in wanted
            left = rate_bps // 8 // 30 * (4 if key else 1)
            source.picture_id += 1
            source.tl0 += upper == 0
            first = True
            while left > 0:
                size = min(left, 1100)
                left -= size
                payload = vp8_payload(
                    source.picture_id,
                    start=first,
                    key=key and first,
                    tid=0 if key else upper,
                    tl0=source.tl0,
                    sync=upper == 1,
                    body=bytes(size),
                )
                first = False
                self.peer.send(source.packet(payload, marker=left <= 0))
            source.timestamp += 3000
        self.frames += 1


class Link:
    """From the router to one viewer: a capacity, a queue of 300 ms, and feedback 50 ms later."""

    def __init__(self, call: Call, viewer: Peer, capacity_bps: int) -> None:
        self.call, self.viewer, self.capacity_bps = call, viewer, capacity_bps
        self.recorder = TwccRecorder(1, 2)
        self.taken = self.free_us = self.lost = self.passed_bytes = 0
        self.coming: list[tuple[int, int]] = []
        self.reports: list[tuple[int, bytes]] = []
        self.waits_us: list[int] = []

    def step(self) -> None:
        now_us = self.call.now_us
        for received in self.viewer.rtp[self.taken :]:
            size = received.header.payload_size + OVERHEAD
            starts_us = max(self.free_us, received.at_us)
            if starts_us - received.at_us > 300 * MS:
                self.lost += 1
                continue
            self.free_us = starts_us + size * 8 * SECOND // self.capacity_bps
            self.passed_bytes += size
            self.waits_us.append(starts_us - received.at_us)
            number = int.from_bytes(received.header.extensions[TRANSPORT_CC], "big")
            self.coming.append((self.free_us + 25 * MS, number))
        self.taken = len(self.viewer.rtp)
        while self.coming and self.coming[0][0] <= now_us:
            at_us, number = self.coming.pop(0)
            self.poll(at_us)
            self.recorder.on_packet(number, at_us)
        self.poll(now_us)
        while self.reports and self.reports[0][0] <= now_us:
            self.viewer.send_rtcp(self.reports.pop(0)[1])

    def poll(self, at_us: int) -> None:
        while (data := self.recorder.poll_feedback(at_us)) is not None:
            self.reports.append((at_us + 25 * MS, data))


class Meeting:
    def __init__(self, cameras: int = 1, capacity_bps: int = 10_000_000) -> None:
        self.call = Call()
        self.viewer = self.call.peer()
        self.cameras = [Camera(self.call.peer(), 100 * (i + 1)) for i in range(cameras)]
        ids = {MID: 9, TRANSPORT_CC: TRANSPORT_CC}
        self.consumers = [
            watch(self.viewer, camera.producer, ssrc=7000 + 10 * i, extensions=ids)
            for i, camera in enumerate(self.cameras)
        ]
        _downlink_commands.begin(self.call.engine, self.viewer.handle, START_BPS, 10_000, 20_000_000)
        self.link = Link(self.call, self.viewer, capacity_bps)
        self.ticks = 0

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 200)):
            if self.ticks * 30 % 200 < 30:
                for camera in self.cameras:
                    camera.frame()
            self.call.run(5 * MS)
            self.link.step()
            self.ticks += 1

    def talk(self) -> Callable[[int], None]:
        """Somebody talks to the viewer, a packet each 20 ms, for as many as are asked for."""
        talker = self.call.peer()
        voice = Source(talker, 5, payload_type=111, mid="a", clock_rate=48000)
        watch(self.viewer, publish_audio(talker), ssrc=6000, extensions={MID: 9, TRANSPORT_CC: TRANSPORT_CC})

        def go_on(packets: int) -> None:
            for _ in range(packets):
                self.run(0.02)
                talker.send(voice.packet(bytes(60)))

        return go_on

    def layers(self) -> list[int]:
        return [self.call.engine.consumer_figures(consumer)["current_layers"][0] for consumer in self.consumers]

    def figures(self) -> dict[str, int]:
        found = _downlink_commands.figures(self.call.engine, self.viewer.handle)
        assert found is not None
        return found


def test_where_there_is_room_the_best_layer_comes_within_three_seconds():
    meeting = Meeting()
    meeting.run(3)
    assert meeting.layers() == [2]
    assert meeting.link.lost == 0


def test_layers_follow_a_link_that_narrows_and_opens_again():
    meeting = Meeting(capacity_bps=4_000_000)
    meeting.run(5)
    assert meeting.layers() == [2]
    meeting.link.capacity_bps = 700_000
    meeting.run(3)
    assert meeting.layers() == [1]
    meeting.link.waits_us.clear()
    meeting.run(5)
    assert meeting.layers() == [1]
    assert sorted(meeting.link.waits_us)[len(meeting.link.waits_us) * 95 // 100] <= 100 * MS
    meeting.link.capacity_bps = 4_000_000
    meeting.run(10)
    assert meeting.layers() == [2]
    assert meeting.figures()["probes"] > 0


def test_a_new_wish_is_met_at_once_where_there_is_room():
    meeting = Meeting()
    meeting.run(5)
    engine, (consumer,) = meeting.call.engine, meeting.consumers
    for spatial in (0, 2, 1, 2):
        engine.set_preferred_layers(consumer, spatial, 127)
        meeting.run(0.2)
        assert meeting.layers() == [spatial]
        meeting.run(2)


def asked_for_again(meeting: Meeting) -> int:
    """How many of the last 400 packets are sent again, when the viewer asks for all of them at once."""
    (consumer,) = meeting.consumers
    newest = next(r.header.sequence_number for r in reversed(meeting.viewer.rtp) if r.header.ssrc == 7000)
    before = meeting.call.engine.consumer_figures(consumer)["resent"]
    for back in range(0, 400, 100):
        nack(meeting.viewer, 7000, [(newest - back - i) & 0xFFFF for i in range(100)])
    return meeting.call.engine.consumer_figures(consumer)["resent"] - before


def test_nothing_is_repaired_of_a_picture_that_a_smaller_one_has_replaced():
    meeting = Meeting(capacity_bps=4_000_000)
    meeting.run(6)
    (consumer,) = meeting.consumers
    meeting.call.engine.set_preferred_layers(consumer, 0, 127)
    meeting.run(0.2)
    assert meeting.layers() == [0]
    smaller = sum(r.header.timestamp > meeting.viewer.rtp[-1].header.timestamp - 30_000 for r in meeting.viewer.rtp)
    assert 1 <= asked_for_again(meeting) <= smaller


def test_three_share_what_there_is():
    meeting = Meeting(cameras=3, capacity_bps=2_000_000)
    meeting.run(15)
    assert min(meeting.layers()) >= 0, "nobody is left out"
    assert meeting.figures()["in_use_bps"] <= 2_000_000
    before = meeting.link.passed_bytes
    meeting.run(5)
    assert (meeting.link.passed_bytes - before) * 8 / 5 >= 1_000_000


def test_what_does_not_fit_is_paused_and_audio_goes_on():
    meeting = Meeting(capacity_bps=1_000_000)
    talk = meeting.talk()
    meeting.run(2)
    meeting.link.capacity_bps = 64_000
    talk(1000)
    assert meeting.layers() == [-1]
    taken = meeting.link.taken
    talk(100)
    assert meeting.link.taken - taken >= 98


def test_r10_paused_video_is_back_when_the_link_opens():
    """Nothing that was sent is young enough to be sent again: the probes are padding."""
    meeting = Meeting(capacity_bps=2_000_000)
    meeting.run(3)
    meeting.link.capacity_bps = 64_000
    paused = 0
    for _ in range(30):
        meeting.run(0.5)
        paused += meeting.layers() == [-1]
    assert paused > 5
    meeting.viewer.check()
    meeting.link.capacity_bps = 5_000_000
    meeting.run(3)
    assert meeting.layers()[0] >= 0
    meeting.run(12)
    assert meeting.layers() == [2]


def test_a_camera_is_shown_steadily_where_two_of_three_layers_fit():
    """What its key frames put into the queue is not taken for all that the network carries."""
    meeting = Meeting(capacity_bps=700_000)
    meeting.run(10)
    for _ in range(20):
        meeting.run(0.5)
        assert meeting.layers() == [1]
        assert meeting.figures()["target_bps"] >= 550_000


def test_audio_counts_in_what_is_used_whatever_there_is():
    meeting = Meeting(capacity_bps=1_000_000)
    talk = meeting.talk()
    meeting.run(2)
    meeting.link.capacity_bps = 30_000
    talk(500)
    figures = meeting.figures()
    assert meeting.layers() == [-1]
    assert figures["in_use_bps"] >= 35_000 > figures["budget_bps"]


def test_a_receiver_s_limit_is_kept():
    meeting = Meeting()
    meeting.run(3)
    meeting.viewer.send_rtcp(bytes(Remb(1, 300_000)))
    meeting.run(2)
    assert meeting.figures()["target_bps"] == 300_000
    assert meeting.layers() == [0]


def test_limits_may_change_at_any_time():
    meeting = Meeting()
    meeting.run(4)
    assert meeting.layers() == [2]
    assert _downlink_commands.set_limits(meeting.call.engine, meeting.viewer.handle, 10_000, 400_000)
    meeting.run(1)
    assert meeting.figures()["target_bps"] == 400_000
    assert meeting.layers() == [0]
    assert _downlink_commands.set_limits(meeting.call.engine, meeting.viewer.handle, 10_000, 20_000_000)
    meeting.run(5)
    assert meeting.layers() == [2]
    meeting.link.capacity_bps = 300_000
    assert _downlink_commands.set_limits(meeting.call.engine, meeting.viewer.handle, 2_500_000, 20_000_000)
    meeting.run(3)
    assert meeting.figures()["target_bps"] >= 2_500_000


def test_who_is_more_important_gets_more():
    meeting = Meeting(cameras=2, capacity_bps=2_000_000)
    _downlink_commands.set_importance(meeting.call.engine, meeting.consumers[1], 2, 1)
    meeting.run(15)
    assert meeting.layers()[1] > meeting.layers()[0]


def test_other_viewers_of_the_same_stream_are_not_touched():
    meeting = Meeting(capacity_bps=300_000)
    other = meeting.call.peer()
    consumer = watch(other, meeting.cameras[0].producer, ssrc=8000)
    meeting.run(4)
    assert meeting.call.engine.consumer_figures(consumer)["current_layers"][0] == 2
    assert meeting.layers() == [0]


def test_commands_refuse_what_is_out_of_range_or_gone():
    call = Call()
    peer = call.peer()
    with pytest.raises(ValueError, match="rates must be"):
        _downlink_commands.begin(call.engine, peer.handle, 1_000, 2_000, 3_000)
    with pytest.raises(InvalidStateError, match="transport"):
        _downlink_commands.begin(call.engine, 0, 1_000, 1_000, 3_000)
    with pytest.raises(InvalidStateError, match="transport"):
        _downlink_commands.set_limits(call.engine, 0, 1_000, 3_000)
    with pytest.raises(ValueError, match="rates must be"):
        _downlink_commands.set_limits(call.engine, peer.handle, 3_001, 3_000)
    assert _downlink_commands.set_limits(call.engine, peer.handle, 1_000, 3_000) is False
    with pytest.raises(InvalidStateError, match="consumer"):
        _downlink_commands.set_importance(call.engine, 0, 4, 1)
    for stream_class, weight in ((5, 1), (-1, 1), (4, 0), (4, 1001)):
        with pytest.raises(ValueError, match="is not in"):
            _downlink_commands.set_importance(call.engine, 0, stream_class, weight)
    assert _downlink_commands.figures(call.engine, peer.handle) is None
    _downlink_commands.begin(call.engine, peer.handle, 1_000, 1_000, 3_000)
    _downlink_commands.begin(call.engine, peer.handle, 1_000, 1_000, 3_000)
    call.engine.remove_transport(peer.handle)
    assert _downlink_commands.figures(call.engine, peer.handle) is None


def test_probes_that_nothing_can_be_sent_for_do_not_keep_the_thread_awake():
    call = Call()
    viewer, camera = call.peer(), Camera(call.peer(), 100)
    watch(viewer, camera.producer, rtx=False, extensions={MID: 9, TRANSPORT_CC: TRANSPORT_CC})
    _downlink_commands.begin(call.engine, viewer.handle, START_BPS, 10_000, 20_000_000)
    camera.frame()
    end_us, turns = call.now_us + SECOND, 0
    while (due_us := call.engine.poll_timeout()) is not None and due_us <= end_us:
        call.now_us = max(call.now_us, due_us)
        call.engine.handle_timeout(call.now_us)
        turns += 1
    assert turns < 60
