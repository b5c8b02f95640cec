"""What viewers of other SFUs suffer from, by number (STREAMS R8, R10, R12, R13), in virtual time."""

import random

import pytest

from mediarouter import _downlink_commands
from mediarouter.congestion import SendSideEstimator, StreamWish
from mediarouter.testing.sim import EncoderPlan, Scenario, run
from mediarouter.testing.sim.scenarios.paths import back, path
from tests.congestion.offers import Viewer, simulcast
from tests.test_downlink import OVERHEAD, Link, Meeting
from tests.virtual import MID, TRANSPORT_CC, Call, Source, nack, publish_video, vp8_payload, watch

MS, SECOND = 1000, 1_000_000
IDS = {MID: 9, TRANSPORT_CC: TRANSPORT_CC}
SCREEN_CLASS = 1


def watched(meeting: Meeting) -> dict[str, int]:
    """Of the viewer: what its feedback told."""
    return meeting.call.engine.transport_figures(meeting.viewer.handle)


# ---- R8: NACK and RTX storms


def test_r8_under_a_storm_resent_packets_stay_within_fifteen_percent_of_the_estimate():
    meeting = Meeting(capacity_bps=3_000_000)
    meeting.run(4)
    before, taken, target_bps = meeting.call.now_us, len(meeting.viewer.rtp), 0
    for _ in range(1000):
        meeting.run(0.005)
        newest = [one.header.sequence_number for one in meeting.viewer.rtp if one.header.ssrc == 7000][-1]
        nack(meeting.viewer, 7000, list(range(newest - 200, newest)))
        target_bps = max(target_bps, meeting.figures()["target_bps"])
    seconds = (meeting.call.now_us - before) / SECOND
    resent = [one.header.payload_size + OVERHEAD for one in meeting.viewer.rtp[taken:] if one.header.ssrc == 7001]
    probes_bytes = meeting.figures()["probe_packets"] * 1250
    assert len(resent) > 50
    assert sum(resent) * 8 <= 0.15 * target_bps * (seconds + 2) + probes_bytes * 8
    figures = meeting.call.engine.consumer_figures(meeting.consumers[0])
    assert figures["refused"] > 10_000


def test_r8_of_what_is_lost_at_random_all_is_repaired():
    """A storm is one thing, a radio link that loses a twentieth another."""
    meeting, dice, lost = Meeting(capacity_bps=10_000_000), random.Random(3), set()
    meeting.run(4)
    seen = len(meeting.viewer.rtp)
    for _ in range(2000):
        meeting.run(0.005)
        news = [one.header.sequence_number for one in meeting.viewer.rtp[seen:] if one.header.ssrc == 7000]
        seen = len(meeting.viewer.rtp)
        missing = [seq for seq in news if dice.random() < 0.05]
        lost.update(missing)
        if missing:
            nack(meeting.viewer, 7000, missing)
    meeting.run(0.2)
    resent = {int.from_bytes(one.header.payload[:2], "big") for one in meeting.viewer.rtp if one.header.ssrc == 7001}
    assert len(lost) > 60 and lost <= resent


def test_r8_what_is_older_than_the_key_frame_that_a_viewer_asked_for_is_not_resent():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    consumer = watch(viewer, publish_video(publisher, ()))
    source = Source(publisher, 5)
    source.send_frame(key=True)
    for _ in range(5):
        source.send_frame()
    nack(viewer, 7000, [502])
    assert call.engine.consumer_figures(consumer)["resent"] == 1
    viewer.send_rtcp(bytes.fromhex("81ce00020000000100001b58"))  # PLI
    nack(viewer, 7000, [503])
    assert call.engine.consumer_figures(consumer)["resent"] == 2, "the key frame is not there yet"
    source.send_frame(key=True)
    source.send_frame()
    nack(viewer, 7000, [503, 504, 505])
    assert call.engine.consumer_figures(consumer)["resent"] == 2
    assert call.engine.consumer_figures(consumer)["refused"] == 3
    nack(viewer, 7000, [506, 507])
    assert call.engine.consumer_figures(consumer)["resent"] == 4
    source.send_frame(key=True)  # that nobody asked for: what is before it may still be wanted
    nack(viewer, 7000, [506])
    call.run(150 * MS)
    nack(viewer, 7000, [506])
    assert call.engine.consumer_figures(consumer)["resent"] == 5


# ---- R10: estimates that are slow to rise, or stuck


@pytest.mark.parametrize("seed", range(10))
def test_r10_from_300_kbit_s_a_link_of_5_mbit_s_is_found_within_four_seconds(seed):
    scenario = Scenario(
        "R10", "start", "STREAMS R10", 8, path((0, 5_000_000)), back(), (EncoderPlan(start_bps=300_000),), ()
    )
    flow = run(scenario, SendSideEstimator, seed).flows[0]
    assert min(flow.targets(4, 8)) >= 4_000_000
    assert flow.received_bps(4, 8) >= 4_000_000


@pytest.mark.parametrize("seed", range(6))
def test_r10_a_budget_that_wanders_by_fifteen_percent_switches_no_size(seed):
    """Beside what an encoding takes; temporal layers may come and go."""
    viewer, dice = Viewer(StreamWish(simulcast())), random.Random(seed)
    viewer.run(1_600_000, 2 * SECOND)
    assert viewer.layers == [(2, 2)]
    viewer.run(500_000, SECOND)
    viewer.spatial_changes = 0
    for _ in range(240):  # two minutes
        viewer.run(round(500_000 * (1 + dice.uniform(-0.075, 0.075))), SECOND // 2)
    assert viewer.spatial_changes == 0


def test_r10_after_step_downs_the_way_up_takes_ten_seconds_in_the_end():
    """One second after the first upgrade that failed, then two, four, eight, ten."""
    viewer, waits = Viewer(StreamWish(simulcast())), []
    viewer.run(1_800_000, 2 * SECOND)
    for _ in range(7):
        viewer.run(700_000, SECOND // 4)
        assert viewer.layers[0][0] == 1
        begun_us = viewer.now_us
        while viewer.layers[0][0] == 1:
            viewer.run(1_800_000, SECOND // 10)
        waits.append((viewer.now_us - begun_us) / SECOND)
    assert waits == sorted(waits) and waits[0] <= 2 and 9 <= waits[-1] <= 11


# ---- R12: other people's losses


def test_r12_what_a_publisher_loses_on_its_way_in_cuts_no_viewers_estimate():
    peace = Meeting(capacity_bps=10_000_000)
    peace.run(8)
    meeting, dice = Meeting(capacity_bps=10_000_000), random.Random(1)
    camera = meeting.cameras[0]
    send = camera.peer.send
    camera.peer.send = lambda packet: send(packet) if dice.random() > 0.2 else b""
    meeting.run(8)
    figures = meeting.figures()
    assert (watched(meeting)["twcc_lost"], figures["loss_state"], figures["usage"]) == (0, "none", "normal")
    assert figures["target_bps"] >= peace.figures()["target_bps"] // 2
    assert figures["target_bps"] >= 2_000_000


def test_r12_gaps_that_we_make_ourselves_are_no_loss():
    """Temporal layers are left out, and encodings switched: numbers go on, and feedback tells of no loss."""
    meeting = Meeting(capacity_bps=10_000_000)
    for number in range(12):
        meeting.call.engine.set_preferred_layers(meeting.consumers[0], number % 3, number % 2)
        meeting.run(0.7)
    figures = meeting.figures()
    assert watched(meeting)["twcc_lost"] == 0 and watched(meeting)["twcc_received"] > 500
    assert figures["loss_state"] == "none" and figures["target_bps"] >= 1_000_000


# ---- R13: screen sharing


class Screen:
    """One encoding; a picture of some size when the test says so."""

    def __init__(self, call: Call, ssrc: int) -> None:
        self.peer = call.peer()
        self.producer = publish_video(self.peer, ())
        self.source = Source(self.peer, ssrc)
        self.begun = False

    def picture(self, size: int) -> None:
        """A key frame if it is the first, or if one was asked for."""
        source = self.source
        if self.peer.rtcp_of(206, 1):
            self.begun = False
            self.peer.rtcp.clear()
        source.picture_id += 1
        source.tl0 += 1
        first = True
        while size > 0:
            part = min(size, 1100)
            size -= part
            payload = vp8_payload(
                source.picture_id, start=first, key=first and not self.begun, tl0=source.tl0, body=bytes(part)
            )
            first = False
            self.peer.send(source.packet(payload, marker=size <= 0))
        self.begun = True


class Presentation:
    """A viewer of a screen, over a link."""

    def __init__(self, capacity_bps: int) -> None:
        self.call = Call()
        self.viewer = self.call.peer()
        self.screen = Screen(self.call, 600)
        self.consumer = watch(self.viewer, self.screen.producer, ssrc=7000, extensions=IDS)
        _downlink_commands.begin(self.call.engine, self.viewer.handle, 1_000_000, 10_000, 20_000_000)
        _downlink_commands.set_importance(self.call.engine, self.consumer, SCREEN_CLASS, 100)
        self.link = Link(self.call, self.viewer, capacity_bps)
        self.spatial: list[int] = []

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 200)):
            self.call.run(5 * MS)
            self.link.step()
            self.spatial.append(self.call.engine.consumer_figures(self.consumer)["current_layers"][0])


def test_r13_a_screen_whose_slides_are_bursts_is_shown_where_it_fits_on_the_whole():
    """1.35 Mbit/s, and every third second nearly three times as much, at 2.5 Mbit/s."""
    show = Presentation(2_500_000)
    show.run(0.1)
    for second in range(30):
        for frame in range(10):
            show.screen.picture((46_000 if frame < 9 else 30_000) if second % 3 == 0 else 3_000 + 100 * frame)
            show.run(0.1)
    assert set(show.spatial[800:]) == {0}, "as soon as it is known what it costs"
    assert show.link.lost <= 0.1 * show.link.taken, "of the bursts, which are more than the link's queue holds"
    wait_us = _downlink_commands.figures(show.call.engine, show.viewer.handle)["pace_longest_us"]
    assert 0 < wait_us <= 260 * MS, "what is too much for the moment waits, but not for long"


def test_r13_a_screen_that_does_not_move_is_not_dead():
    show = Presentation(5_000_000)
    show.screen.picture(60_000)
    for _ in range(6):
        show.run(5)  # seconds of nothing at all
        show.screen.picture(3_000)
    show.run(0.5)
    assert set(show.spatial[20:]) == {0}
    assert len({one.header.timestamp for one in show.viewer.rtp}) >= 1
    assert len({one.picture_id for one in show.viewer.rtp if one.header.ssrc == 7000}) == 7
