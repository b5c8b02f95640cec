"""Feedback that names streams (RFC 8888), both ways, and feedback on request: the engine in virtual time."""

import pytest

from mediarouter import _ccfb_commands, _downlink_commands, rtcp, rtp
from mediarouter.congestion._ccfb import CcfbRecorder
from mediarouter.errors import InvalidStateError
from mediarouter.rtcp import Ccfb, Twcc
from tests.test_downlink import MS, OVERHEAD, SECOND, START_BPS, Camera, Link, Meeting
from tests.virtual import MID, RID, Call, Peer, Source, nack, publish_audio, publish_video, watch

CCFB, TWCC = 11, 15
TRANSPORT_CC_02 = 17  # of the engine; the id on the wire is another
ID_02 = 7


class StreamLink(Link):
    """A link whose viewer reports by RFC 8888."""

    def __init__(self, call: Call, viewer: Peer, capacity_bps: int) -> None:
        super().__init__(call, viewer, capacity_bps)
        self.recorder = CcfbRecorder(1)
        self.coming: list[tuple[int, tuple[int, int, int]]] = []

    def step(self) -> None:
        now_us = self.call.now_us
        for received in self.viewer.rtp[self.taken :]:
            header = received.header
            size = header.payload_size + OVERHEAD
            starts_us = max(self.free_us, received.at_us)
            if starts_us - received.at_us > 300 * MS:
                self.lost += 1
                continue
            self.free_us = starts_us + size * 8 * SECOND // self.capacity_bps
            self.waits_us.append(starts_us - received.at_us)
            self.coming.append((self.free_us + 25 * MS, (header.ssrc, header.sequence_number, size)))
        self.taken = len(self.viewer.rtp)
        while self.coming and self.coming[0][0] <= now_us:
            at_us, (ssrc, seq, size) = self.coming.pop(0)
            self.poll(at_us)
            self.recorder.on_packet(ssrc, seq, at_us, size)
        self.poll(now_us)
        while self.reports and self.reports[0][0] <= now_us:
            self.viewer.send_rtcp(self.reports.pop(0)[1])


class StreamMeeting(Meeting):
    """A meeting whose viewer has no transport-wide numbers."""

    def __init__(self, cameras: int = 1, capacity_bps: int = 10_000_000) -> None:
        self.call = Call()
        self.viewer = self.call.peer()
        self.cameras = [Camera(self.call.peer(), 100 * (i + 1)) for i in range(cameras)]
        self.consumers = [
            watch(self.viewer, camera.producer, ssrc=7000 + 10 * i, extensions={MID: 9})
            for i, camera in enumerate(self.cameras)
        ]
        begin = _downlink_commands.begin
        begin(self.call.engine, self.viewer.handle, START_BPS, 10_000, 20_000_000, by_stream=True)
        self.link = StreamLink(self.call, self.viewer, capacity_bps)
        self.ticks = 0


def reports_to(peer: Peer, form: int) -> list[Ccfb | Twcc]:
    """What the router reported since the last look."""
    found = []
    for data in peer.rtcp_of(205, form):
        padding = -len(data) % 4  # which was cut off
        found.append(rtcp.parse(data + bytes([0] * (padding - 1) + [padding] if padding else []))[0])
    peer.rtcp.clear()
    return found


# ---- a viewer that reports


def test_layers_follow_a_link_that_narrows_and_opens_again():
    meeting = StreamMeeting(cameras=2, capacity_bps=6_000_000)
    meeting.run(6)
    assert meeting.layers() == [2, 2]
    figures = meeting.figures()
    assert figures["feedback_malformed"] == figures["feedback_unknown"] == figures["feedback_unknown_streams"] == 0
    assert figures["probes"] > 0 and figures["probe_packets"] > 0, "which go by RTX: these streams count too"
    meeting.link.capacity_bps = 1_100_000
    meeting.run(8)
    assert sorted(meeting.layers()) != [2, 2]
    meeting.link.waits_us.clear()
    meeting.run(4)
    assert sorted(meeting.link.waits_us)[len(meeting.link.waits_us) * 95 // 100] <= 150 * MS
    meeting.link.capacity_bps = 6_000_000
    meeting.run(10)
    assert meeting.layers() == [2, 2]


def test_all_that_is_sent_is_named_audio_and_repair_too():
    call = Call()
    viewer, speaker, camera = call.peer(), call.peer(), call.peer()
    watch(viewer, publish_audio(speaker), ssrc=500, rtx=False)
    watch(viewer, publish_video(camera, rids=()), ssrc=600)
    _downlink_commands.begin(call.engine, viewer.handle, START_BPS, 10_000, 20_000_000, by_stream=True)
    source = Source(camera, 1)
    source.send_frame(key=True, packets=4)
    speaker.send(Source(speaker, 2, payload_type=111, mid="a").packet(b"voice"))
    nack(viewer, 600, [viewer.rtp[1].header.sequence_number])
    got = [(r.header.ssrc, r.header.sequence_number) for r in viewer.rtp]
    assert {ssrc for ssrc, _ in got} == {500, 600, 601}, "voice, pictures, and what is sent again"
    recorder = CcfbRecorder()
    for ssrc, seq in got:
        recorder.on_packet(ssrc, seq, call.now_us)
    viewer.send_rtcp(recorder.poll_feedback(call.now_us + SECOND))
    figures = _downlink_commands.figures(call.engine, viewer.handle)
    assert call.engine.transport_figures(viewer.handle)["twcc_received"] == len(got) >= 6
    assert (figures["feedback_unknown"], figures["feedback_unknown_streams"]) == (0, 0)


def test_streams_that_are_not_ours_and_nonsense_are_counted():
    meeting = StreamMeeting()
    meeting.run(0.5)
    ssrc, seq = meeting.viewer.rtp[-1].header.ssrc, meeting.viewer.rtp[-1].header.sequence_number
    meeting.viewer.send_rtcp(bytes(Ccfb(1, 0, [(9, 0, [(0, 0)]), (ssrc, seq + 9000 & 0xFFFF, [(0, 0), None])])))
    figures = meeting.figures()
    assert (figures["feedback_unknown_streams"], figures["feedback_unknown"]) == (1, 1)
    broken = bytearray(bytes(Ccfb(1, 0, [(ssrc, seq, [(0, 0)] * 4)])))
    broken[15] = 9
    meeting.viewer.send_rtcp(bytes(broken))
    assert meeting.figures()["feedback_malformed"] == 1
    assert meeting.call.dropped()["rtcp_length"] == 1


def test_the_form_that_was_not_agreed_is_left_alone():
    by_stream, transport_wide = StreamMeeting(), Meeting()
    for meeting in (by_stream, transport_wide):
        meeting.link.step = lambda: None  # nobody reports
        meeting.run(0.3)
        header = meeting.viewer.rtp[0].header
        before = meeting.figures()["in_flight_bytes"]
        assert before > 0
        other = Twcc(1, 2, 0, [0] * 5) if meeting is by_stream else Ccfb(1, 0, [(header.ssrc, 500, [(0, 0)] * 5)])
        meeting.viewer.send_rtcp(bytes(other))
        assert meeting.figures()["in_flight_bytes"] == before


def test_streams_keep_apart_when_consumers_come_and_go():
    call = Call()
    viewer, camera = call.peer(), call.peer()
    producer = publish_video(camera, rids=())
    first, second = (watch(viewer, producer, ssrc=ssrc, first_seq=1) for ssrc in (100, 200))
    _downlink_commands.begin(call.engine, viewer.handle, START_BPS, 10_000, 20_000_000, by_stream=True)
    call.engine.remove_consumer(first)
    third = watch(viewer, producer, ssrc=300, first_seq=1)
    Source(camera, 1).send_frame(key=True)
    numbers = {r.header.ssrc: r.header.sequence_number for r in viewer.rtp}
    assert set(numbers) == {200, 300}
    viewer.send_rtcp(bytes(Ccfb(1, 0, [(300, numbers[300], [(0, 0)])])))
    assert call.engine.transport_figures(viewer.handle)["twcc_received"] == 1
    viewer.send_rtcp(bytes(Ccfb(1, 65536, [(100, 1, [(0, 0)]), (200, numbers[200], [(0, 0)])])))
    figures = _downlink_commands.figures(call.engine, viewer.handle)
    assert (figures["feedback_unknown_streams"], figures["feedback_unknown"]) == (1, 0)
    assert call.engine.transport_figures(viewer.handle)["twcc_received"] == 2
    assert second != third


# ---- a publisher that is told


def test_a_publisher_is_told_by_stream_what_arrived_and_when():
    call = Call()
    camera = call.peer()
    publish_video(camera, rids=())
    _ccfb_commands.begin_reports(call.engine, camera.handle)
    _ccfb_commands.begin_reports(call.engine, camera.handle)
    source = Source(camera, 77, seq=65_534)
    sent = {}
    for i in range(40):
        (packet,) = source.frame(key=i == 0)
        if i != 5:
            sent[rtp.parse(packet).sequence_number] = call.now_us
            camera.send(packet)
        call.run(10 * MS)
    call.run(100 * MS)
    told: dict[int, int] = {}
    found = reports_to(camera, CCFB)
    for report in found:
        for stream in report.streams:
            assert stream.ssrc == 77
            for i, arrival in enumerate(stream.arrivals):
                if arrival is not None:
                    report_us = report.report_timestamp * SECOND / 65_536
                    told[stream.begin_sequence_number + i & 0xFFFF] = report_us - arrival.age_us
    assert told.keys() == sent.keys(), "the one that was not sent is told as not arrived"
    turn_us = 65_536 * SECOND
    assert all(abs((told[seq] - sent[seq] + turn_us / 2) % turn_us - turn_us / 2) <= 600 for seq in sent)
    assert 4 <= len(found) <= 9


def test_without_an_agreement_there_are_no_such_reports_and_a_transport_must_be_there():
    call = Call()
    camera = call.peer()
    publish_video(camera, rids=())
    Source(camera, 77).send_frame(key=True)
    call.run(SECOND)
    assert reports_to(camera, CCFB) == []
    with pytest.raises(InvalidStateError, match="transport closed"):
        _ccfb_commands.begin_reports(call.engine, 0)


def test_a_transport_that_closes_takes_its_record_along():
    call = Call()
    camera = call.peer()
    publish_video(camera, rids=())
    _ccfb_commands.begin_reports(call.engine, camera.handle)
    Source(camera, 77).send_frame(key=True)
    call.engine.remove_transport(camera.handle)
    call.run(SECOND)


# ---- a publisher that asks (transport-wide-cc-02)


class Asker:
    """A publisher whose packets carry transport-wide-cc-02."""

    def __init__(self) -> None:
        self.call = Call()
        self.peer = self.call.peer()
        publish_video(self.peer, rids=())
        self.call.engine.set_extensions(self.peer.handle, {MID: MID, RID: RID, ID_02: TRANSPORT_CC_02})
        self.source = Source(self.peer, 77)
        self.number = 65_530

    def send(self, request: int | None = None, *, lost: bool = False) -> None:
        value = (self.number & 0xFFFF).to_bytes(2, "big")
        if request is not None:
            value += request.to_bytes(2, "big")
        self.number += 1
        packet = self.source.packet(bytes(20), extensions={ID_02: value})
        if not lost:
            self.peer.send(packet)
        self.call.run(1 * MS)


def test_feedback_comes_when_it_is_asked_for_and_tells_what_was_asked():
    asker = Asker()
    for i in range(12):
        asker.send(lost=i == 9)
    asker.call.run(SECOND)
    assert reports_to(asker.peer, TWCC) == [], "it has not been asked for"
    asker.send(0x8000 | 8)
    (report,) = reports_to(asker.peer, TWCC)
    numbers = [number for number, _ in report.arrivals]
    assert numbers == [n & 0xFFFF for n in range(65_535, 65_543)]
    assert [arrival is None for _, arrival in report.arrivals] == [i == 4 for i in range(8)]
    times = [arrival for _, arrival in report.arrivals if arrival is not None]
    assert [later - earlier for earlier, later in zip(times[1:4], times[2:5], strict=False)][:2] == [1000, 1000]
    asker.call.run(SECOND)
    assert reports_to(asker.peer, TWCC) == []


def test_what_was_told_can_be_asked_for_again_without_times():
    asker = Asker()
    for _ in range(9):
        asker.send()
    asker.send(0x8000 | 4)
    asker.call.run(10 * MS)
    asker.peer.rtcp.clear()
    asker.send(11)
    (data,) = asker.peer.rtcp_of(205, TWCC)
    assert int.from_bytes(data[12:14], "big") == 65_530 and int.from_bytes(data[14:16], "big") == 11
    assert data[20:] == (1 << 13 | 11).to_bytes(2, "big"), "one run of received, and no deltas"


def test_askings_that_come_too_fast_are_answered_together():
    asker = Asker()
    for _ in range(30):
        asker.send(0x8000 | 1)
    asker.call.run(10 * MS)
    found = reports_to(asker.peer, TWCC)
    assert 6 <= len(found) <= 8
    told = [number for report in found for number, _ in report.arrivals]
    assert told == [n & 0xFFFF for n in range(65_530, 65_560)]


def test_asking_for_more_than_is_known_harms_nothing():
    asker = Asker()
    asker.send(0xFFFF)
    asker.call.run(10 * MS)
    for report in reports_to(asker.peer, TWCC):
        assert sum(arrival is not None for _, arrival in report.arrivals) <= 1
    asker.send(0)
    asker.send(0x8000)
    asker.call.run(SECOND)
    assert reports_to(asker.peer, TWCC) == []
