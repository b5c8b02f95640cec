"""No packet vanishes: what is sent and what is left out for a named reason is what came, for every consumer."""

import errno
import re
from importlib import resources
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediarouter import _balance, _downlink_commands
from mediarouter._balance import balance_of
from mediarouter._udp import UdpFace
from mediarouter.srtp import SrtpError
from tests.virtual import BEST, MID, TRANSPORT_CC, Call, Peer, Source, nack, publish_audio, publish_video, watch

LAYERS = (0, 1, 2, BEST)
FRAME_US = 33_333
EVEN = dict.fromkeys(_balance.SUMS, 0)


def test_every_reason_has_its_name_at_its_place():
    text = (resources.files("mediarouter") / "_balance.pxd").read_text()
    codes = {name.lower(): int(code) for name, code in re.findall(r"^    LEFT_(\w+) = (\d+)", text, re.MULTILINE)}
    assert codes.pop("count") == len(_balance.LEFT_NAMES)
    assert codes == {name: code for code, name in enumerate(_balance.LEFT_NAMES)}


class Viewer(Peer):
    """A client that is sent again what it has already, byte for byte, when it has no retransmission stream."""

    video_ssrc = 0

    def take(self, data: bytes) -> None:
        try:
            super().take(data)
        except SrtpError as error:
            assert error.reason == "srtp_replay"


class Meeting:
    """A simulcast and an audio publisher, whose viewers come and go; counts by itself what is owed to whom."""

    def __init__(self, gather_us: int) -> None:
        self.call = Call(gather_us)
        self.publisher = self.call.peer()
        self.video = publish_video(self.publisher)
        self.audio = publish_audio(self.publisher)
        self.sources = [
            Source(self.publisher, 1001 + i, rid=rid, seq=1000 * i, timestamp=90_000 * i) for i, rid in enumerate("qhf")
        ]
        self.voice = Source(self.publisher, 2001, payload_type=111, mid="a", clock_rate=48000)
        self.viewers: list[tuple[Viewer, list[int]]] = []
        self.held: list[bytes] = []
        self.due = 0
        self.on_hold = False
        self.most_held = 0  # copies that waited for their turn at once
        self.ssrc = 7000

    def consumers(self, producer: int) -> int:
        return sum(len(handles) > (producer == self.audio) for _, handles in self.viewers)

    def deliver(self, packet: bytes, producer: int) -> None:
        before = self.call.engine.counters()["rtp_packets_accepted"]
        self.publisher.send(packet)
        taken = self.call.engine.counters()["rtp_packets_accepted"] - before
        if producer == self.audio or not self.on_hold:
            self.due += taken * self.consumers(producer)

    def step(self, action: tuple) -> None:
        """One thing that happens."""
        getattr(self, action[0])(*action[1:])

    def frame(self, which: int, key: bool, packets: int, tid: int, lost: int) -> None:
        source = self.sources[which]
        for at, packet in enumerate(source.frame(key=key, packets=packets, tid=0 if key else tid, sync=tid == 1)):
            if lost == at:
                self.held.append(packet)
            else:
                self.deliver(packet, self.video)
        source.advance(FRAME_US)

    def late(self) -> None:
        """What was held back on the way comes after all."""
        if self.held:
            try:
                self.deliver(self.held.pop(0), self.video)
            except SrtpError as error:
                assert error.reason == "srtp_old", "its own client cannot send it any more"

    def padding(self, which: int) -> None:
        self.deliver(self.sources[which].packet(b"", marker=False), self.video)

    def talk(self, count: int) -> None:
        for _ in range(count):
            self.deliver(self.voice.packet(b"opus"), self.audio)
            self.voice.advance(20_000)

    def join(
        self, connected: bool, layers: tuple[int, int], paused: bool, rtx: bool, start_bps: int | None = None
    ) -> None:
        """With a start rate the viewer's network is watched, and what it is sent is paced."""
        peer = Viewer(self.call)
        if connected:
            peer.connect()
        if start_bps is not None:
            _downlink_commands.begin(self.call.engine, peer.handle, start_bps, 1_000, 1_000_000)
        peer.video_ssrc = self.ssrc + 2
        handles = []
        for producer in (self.video, self.audio):
            self.ssrc += 2
            handles.append(
                watch(
                    peer,
                    producer,
                    ssrc=self.ssrc,
                    spatial=layers[0],
                    temporal=layers[1],
                    paused=paused,
                    rtx=rtx,
                    extensions={MID: 9} if start_bps is None else {MID: 9, TRANSPORT_CC: TRANSPORT_CC},
                )
            )
        self.viewers.append((peer, handles))

    def chosen(self, index: int) -> tuple[Viewer, list[int]] | None:
        return self.viewers[index % len(self.viewers)] if self.viewers else None

    def leave(self, index: int) -> None:
        if chosen := self.chosen(index):
            self.call.engine.remove_transport(chosen[0].handle)
            self.viewers.remove(chosen)

    def pause(self, index: int, paused: bool) -> None:
        if chosen := self.chosen(index):
            self.call.engine.pause_consumer(chosen[1][0], paused)

    def prefer(self, index: int, layers: tuple[int, int]) -> None:
        if chosen := self.chosen(index):
            self.call.engine.set_preferred_layers(chosen[1][0], *layers)

    def hold(self, paused: bool) -> None:
        self.on_hold = paused
        self.call.engine.pause_producer(self.video, paused)

    def ask(self, index: int, back: int, count: int) -> None:
        """A viewer misses packets."""
        if chosen := self.chosen(index):
            viewer, ssrc = chosen[0], chosen[0].video_ssrc
            got = [item.header.sequence_number for item in viewer.rtp if item.header.ssrc == ssrc]
            if got:
                nack(viewer, ssrc, [got[-1] - back - i for i in range(count)])

    def restart(self, which: int) -> None:
        self.sources[which].seq += 20_000
        self.held.clear()
        self.frame(which, False, 1, 0, -1)

    def wait(self, duration_us: int) -> None:
        self.call.run(duration_us)

    def check(self) -> None:
        """Whatever happened, the sums agree, before what is to be sent is fetched and after."""
        assert balance_of(self.call.engine.counters()) == EVEN
        self.call.collect()
        counters = self.call.engine.counters()
        assert balance_of(counters) == EVEN
        self.most_held = max(self.most_held, counters["rtp_copies_held"])
        assert counters["datagrams_sent"] == counters["packets_out"] and counters["packets_unsent"] == 0


which = st.integers(0, 2)
viewer = st.integers(0, 5)
layers = st.tuples(st.sampled_from(LAYERS), st.sampled_from(LAYERS))
frames = st.tuples(st.just("frame"), which, st.booleans(), st.integers(1, 5), st.integers(0, 2), st.integers(-2, 4))
rates = st.sampled_from((None, None, 1_000, 100_000))
connected = st.sampled_from((True, True, True, False))
joins = st.tuples(st.just("join"), connected, layers, st.booleans(), st.booleans(), rates)
actions = st.one_of(
    frames,
    frames,
    frames,
    joins,
    st.tuples(st.just("late")),
    st.tuples(st.just("padding"), which),
    st.tuples(st.just("talk"), st.integers(1, 3)),
    st.tuples(st.just("leave"), viewer),
    st.tuples(st.just("pause"), viewer, st.booleans()),
    st.tuples(st.just("prefer"), viewer, layers),
    st.tuples(st.just("hold"), st.sampled_from((True, False, False, False))),
    st.tuples(st.just("ask"), viewer, st.integers(0, 8), st.integers(1, 12)),
    st.tuples(st.just("restart"), which),
    st.tuples(st.just("wait"), st.sampled_from((500, 2_000, 40_000, 600_000))),
)


@pytest.mark.parametrize("gather_us", [0, 1000])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(actions, min_size=10, max_size=50))
def test_whatever_happens_the_sums_agree(gather_us, happenings):
    meeting = Meeting(gather_us)
    meeting.join(True, (BEST, BEST), False, True)
    for action in happenings:
        meeting.step(action)
        meeting.check()
    meeting.call.engine.remove_transport(meeting.publisher.handle)
    while meeting.viewers:
        meeting.leave(0)
    meeting.check()
    assert meeting.call.engine.counters()["rtp_packets_gathered"] == 0
    assert not any(meeting.call.engine.rows().values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(actions, min_size=10, max_size=50))
def test_every_packet_is_owed_to_every_consumer_there_is_when_it_comes(happenings):
    meeting = Meeting(0)
    meeting.join(True, (BEST, BEST), False, False)
    for action in happenings:
        meeting.step(action)
        counters = meeting.call.engine.counters()
        assert counters["rtp_copies_due"] == meeting.due
        assert counters["rtp_packets_gathered"] == counters["rtp_packets_forgotten"] == 0


def any_action(die: Random) -> tuple:
    """One thing that may happen; most are frames, and key frames are seldom, as in life."""
    wanted = die.choice(LAYERS), die.choice(LAYERS)
    seldom = (
        ("join", die.random() < 0.8, wanted, die.random() < 0.1, die.random() < 0.6, die.choice((None, None, 1_000))),
        ("leave", die.randrange(6)),
        ("pause", die.randrange(6), die.random() < 0.3),
        ("prefer", die.randrange(6), wanted),
        ("hold", die.random() < 0.1),
        ("restart", die.randrange(3)),
        ("padding", die.randrange(3)),
    )
    often = (
        ("late",),
        ("talk", die.randint(1, 3)),
        ("ask", die.randrange(6), die.randrange(8), die.randint(1, 12)),
        ("wait", die.choice((500, 2_000, 40_000))),
    )
    if die.random() < 0.6:
        lost = die.choice((-1, -1, 0, 1, 4))
        return "frame", die.randrange(3), die.random() < 0.15, die.randint(1, 5), die.randrange(3), lost
    return die.choice(often) if die.random() < 0.7 else die.choice(seldom)


@pytest.mark.parametrize("gather_us", [0, 1000])
def test_in_a_long_day_everything_happens_and_nothing_is_missing(gather_us):
    meeting, die = Meeting(gather_us), Random(gather_us)
    for _ in range(4000):
        meeting.step(any_action(die))
        meeting.check()
    counters = meeting.call.engine.counters()
    names = [name for name in counters if name.startswith(("rtp_copies_", "rtp_packets_f", "rtp_packets_r"))]
    counters["rtp_copies_held"] = meeting.most_held
    never = {name for name in names if counters[name] == 0}
    expected = {"rtp_copies_left_no_memory"} | ({"rtp_packets_forgotten"} if gather_us == 0 else set())
    assert never == expected


def test_what_viewers_get_is_what_is_counted_as_sent():
    meeting = Meeting(1000)
    for wanted in ((0, BEST), (2, 0), (BEST, BEST)):
        meeting.join(True, wanted, False, True)
    for number in range(40):
        for source in range(3):
            meeting.frame(source, number % 10 == 0, 3, number % 3, 1 if number % 7 == 3 else -1)
        meeting.talk(2)
        meeting.late()
        meeting.ask(number % 3, 2, 3)
        meeting.wait(FRAME_US)
    meeting.wait(100_000)
    counters = meeting.call.engine.counters()
    got = sum(len(peer.rtp) for peer, _ in meeting.viewers)
    assert got == sum(counters[f"rtp_{name}"] for name in ("packets_forwarded", "copies_filled", "packets_resent"))
    assert counters["rtp_packets_resent"] > 10
    assert all(counters[f"rtp_copies_left_{name}"] > 0 for name in ("other_encoding", "above_layer"))
    meeting.check()


def left_of(call: Call) -> dict[str, int]:
    counters = call.engine.counters()
    assert balance_of(counters) == EVEN
    return {
        name: counters[f"rtp_copies_left_{name}"] for name in _balance.LEFT_NAMES if counters[f"rtp_copies_left_{name}"]
    }


def call_of_one(**options) -> tuple[Call, Peer, Source, int]:
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    consumer = watch(viewer, publish_video(publisher, ()), **options)
    return call, viewer, Source(publisher, 5), consumer


def test_a_paused_copy_is_counted_as_such():
    call, _, source, consumer = call_of_one(paused=True)
    source.send_frame(key=True, packets=3)
    assert left_of(call) == {"paused": 3}
    call.engine.pause_consumer(consumer, False)
    source.send_frame(key=True, packets=2)
    assert left_of(call) == {"paused": 3} and call.engine.counters()["rtp_packets_forwarded"] == 2


def test_copies_for_who_is_not_there_yet_or_has_no_key_frame():
    call = Call()
    publisher, viewer = call.peer(), Peer(call)
    watch(viewer, publish_video(publisher, ()))
    source = Source(publisher, 5)
    source.send_frame(key=True, packets=2)
    assert left_of(call) == {"not_ready": 2}
    viewer.connect()
    source.send_frame(packets=4)
    assert left_of(call) == {"not_ready": 2, "no_key_frame": 4}


def test_padding_and_what_came_before_ones_time():
    call, viewer, source, _ = call_of_one()
    before = source.frame(packets=1)[0]
    source.send_frame(key=True)
    source.peer.send(before)
    source.peer.send(source.packet(b"", marker=False))
    assert left_of(call) == {"late": 1, "empty": 1} and len(viewer.rtp) == 1


def test_what_an_entering_viewer_catches_up_with_was_offered_twice():
    call, viewer, source, _ = call_of_one()
    first, *rest = source.frame(key=True, packets=4)
    for packet in (*rest, first):
        source.peer.send(packet)
    counters = call.engine.counters()
    assert len(viewer.rtp) == counters["rtp_packets_forwarded"] == 4
    assert (counters["rtp_copies_due"], counters["rtp_copies_again"]) == (4, 3)
    assert left_of(call) == {"no_key_frame": 3}


def test_what_waits_for_its_frame_and_what_is_forgotten_with_its_producer():
    call = Call(1000)
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher, ())
    watch(viewer, producer)
    for packet in Source(publisher, 5).frame(key=True, packets=5)[:3]:
        publisher.send(packet)  # the rest of the frame is still on its way
    counters = call.engine.counters()
    assert (counters["rtp_packets_gathered"], counters["rtp_packets_offered"]) == (3, 0)
    assert balance_of(counters) == EVEN
    call.engine.remove_producer(producer)
    counters = call.engine.counters()
    assert (counters["rtp_packets_gathered"], counters["rtp_packets_forgotten"]) == (0, 3)
    assert balance_of(counters) == EVEN


answers = st.one_of(
    st.integers(1, 4),
    st.sampled_from([-errno.EAGAIN, -errno.EAGAIN, -errno.EIO, -errno.EINVAL, -errno.ENOBUFS, -errno.EPERM]),
)
packets = st.tuples(st.integers(0, 3), st.integers(200, 1400), st.integers(0, 3))


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(packets, max_size=150), st.lists(answers, max_size=6)), max_size=12))
def test_whatever_the_kernel_says_each_datagram_is_sent_refused_or_waits(rounds):
    face = UdpFace()
    given_out = taken = 0
    for wanted, said in rounds:
        given_out += len(wanted)
        outbox = [(receiver, bytes(size), kind) for receiver, size, kind in sorted(wanted, key=lambda item: item[0])]
        taken += len(face.send(outbox, said))
        face.room(said[::-1])
        figures = face.figures
        assert given_out == sum(figures[name] for name in ("sent", "blocked", "failed", "packets_waiting"))
        assert (figures["packets_waiting"] > 0) == (figures["waiting"] > 0)
    face.room()
    assert face.figures["packets_waiting"] == face.figures["waiting"] == 0


def test_a_sum_that_does_not_agree_is_told():
    counters = Call().engine.counters() | {"rtp_packets_accepted": 7}
    assert balance_of(counters) == EVEN | {"packets": 7}
