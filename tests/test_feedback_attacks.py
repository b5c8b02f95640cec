"""A viewer whose feedback means harm: it harms itself at most, within its bounds; nobody else notices."""

import pytest

from mediarouter import _downlink_commands
from tests.congestion.attacks import ATTACKS, Sent
from tests.test_downlink import MS, Meeting
from tests.virtual import MID, TRANSPORT_CC, Peer, watch

MIN_BPS, MAX_BPS = 200_000, 4_000_000
BEGIN_S, ATTACK_S = 2, 4
REPORTS_A_SECOND, BURST = 200, 20
IDS = {MID: 9, TRANSPORT_CC: TRANSPORT_CC}
OTHER_CAMERA = 7010  # the SSRC by which the bystander gets the camera that the attacker does not watch


class Attacked(Meeting):
    """Two cameras and a viewer of both, whose network is fine; and one who watches the first and means harm."""

    def __init__(self, attack) -> None:
        super().__init__(cameras=2, capacity_bps=10_000_000)
        self.attacker: Peer = self.call.peer()
        self.consumer = watch(self.attacker, self.cameras[0].producer, ssrc=9000, extensions=IDS)
        _downlink_commands.begin(self.call.engine, self.attacker.handle, 1_000_000, MIN_BPS, MAX_BPS)
        self.attack, self.sent, self.taken, self.given = attack, Sent(), 0, 0
        self.asked = 0  # key frames of the first camera
        wanted = self.cameras[0].wanted

        def counted() -> set[int]:
            self.asked += self.cameras[0].peer.plis()
            return wanted()

        self.cameras[0].wanted = counted
        self.targets: list[int] = []

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 200)):
            super().run(0.005)
            self.misbehave()
            figures = _downlink_commands.figures(self.call.engine, self.attacker.handle)
            self.targets.append(figures["target_bps"])
            assert MIN_BPS <= figures["budget_bps"] <= figures["target_bps"] <= MAX_BPS

    def misbehave(self) -> None:
        for received in self.attacker.rtp[self.taken :]:
            number = int.from_bytes(received.header.extensions[TRANSPORT_CC], "big")
            self.sent.packets.append((number, received.at_us + 25 * MS))
        self.taken = len(self.attacker.rtp)
        self.sent.now_us, self.sent.steps = self.call.now_us, self.sent.steps + 1
        for report in self.attack(self.sent) if self.attack else []:
            self.attacker.send_rtcp(report)
            self.given += 1

    def got(self, ssrc: int) -> list[tuple[int, int, int]]:
        """What the bystander got of one stream, RTX left out."""
        headers = [received.header for received in self.viewer.rtp if received.header.ssrc == ssrc]
        return [(one.sequence_number, one.timestamp, one.payload_size) for one in headers]


@pytest.fixture(scope="module")
def peace():
    """The same, but nobody attacks: nor gives the first camera's other viewer any feedback."""
    meeting = Attacked(None)
    meeting.run(BEGIN_S + ATTACK_S)
    return meeting


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_harms_the_attacker_at_most(name, peace):
    meeting = Attacked(ATTACKS[name])
    meeting.run(BEGIN_S + ATTACK_S)
    assert meeting.given
    figures = _downlink_commands.figures(meeting.call.engine, meeting.attacker.handle)
    taken_at_most = BURST + (BEGIN_S + ATTACK_S) * REPORTS_A_SECOND
    assert figures["feedback_refused"] >= meeting.given - taken_at_most
    assert figures["allocations"] <= taken_at_most + 10 * (BEGIN_S + ATTACK_S)
    # of the stream that both watch the bystander has every picture, and of the other every packet, as in peace
    assert meeting.layers() == [2, 2] and meeting.link.lost == 0
    assert meeting.got(OTHER_CAMERA) == peace.got(OTHER_CAMERA)
    pictures, before = ({one[1] for one in found.got(7000)} for found in (meeting, peace))
    assert abs(len(pictures) - len(before)) <= 1, "a switch may come earlier or later"
    assert meeting.figures()["target_bps"] >= peace.figures()["target_bps"] // 2
    # and the publisher is not asked for more key frames than its encodings may be asked for
    assert meeting.asked <= 3 * (2 * (BEGIN_S + ATTACK_S) + 1)


def test_a_flood_is_refused_and_counted():
    meeting = Attacked(ATTACKS["a thousand reports a second"])
    meeting.run(3)
    figures = _downlink_commands.figures(meeting.call.engine, meeting.attacker.handle)
    assert meeting.given >= 2900
    assert figures["feedback_refused"] >= meeting.given - BURST - 3 * REPORTS_A_SECOND - REPORTS_A_SECOND // 10


def test_rubbish_is_counted_and_says_nothing():
    meeting = Attacked(ATTACKS["nothing but rubbish"])
    meeting.run(1)
    figures = _downlink_commands.figures(meeting.call.engine, meeting.attacker.handle)
    assert figures["feedback_malformed"] > 100
    assert max(meeting.targets) == 1_000_000, "nothing is believed of it"
