"""Which layers publishers are told to send, in virtual time: wishes, networks, pipes, and how a layer comes back."""

import pytest

from mediarouter import _downlink_commands, _events, _pipe_commands, _uplink_commands
from mediarouter.errors import InvalidStateError
from mediarouter.rtcp import Remb
from tests.pipes import House, Piped
from tests.test_downlink import RATES_BPS, Camera, Meeting
from tests.test_forward import simulcast
from tests.virtual import BEST, MID, TRANSPORT_CC, Call, Peer, Source, publish_audio, publish_video, watch

MS, SECOND = 1000, 1_000_000
QUIET_US = 3 * SECOND
NONE = -1
EVERYTHING = [BEST] * 3
NOTHING = [NONE] * 3
CC = {MID: 9, TRANSPORT_CC: TRANSPORT_CC}


def told(call: Call, producer: int) -> list[int]:
    """What the publisher knows."""
    return _uplink_commands.wanted_layers(call.engine, producer)


def events(call: Call, producer: int) -> int:
    """How often the publisher was told since this was last asked."""
    return sum(kind == _events.WANTED and handle == producer for kind, handle, *_ in call.engine.read_events())


def settled(call: Call, producer: int) -> list[int]:
    call.run(QUIET_US + 100 * MS)
    return told(call, producer)


def test_a_publisher_nobody_takes_may_stop_after_a_while_and_is_back_at_once():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher)
    call.run(QUIET_US - 100 * MS)
    assert told(call, producer) == EVERYTHING and events(call, producer) == 0
    call.run(200 * MS)
    assert told(call, producer) == NOTHING and events(call, producer) == 1
    consumer = watch(viewer, producer)
    call.run(1)
    assert told(call, producer) == EVERYTHING and events(call, producer) == 1
    call.engine.remove_consumer(consumer)
    call.run(QUIET_US - 100 * MS)
    assert told(call, producer) == EVERYTHING and events(call, producer) == 0
    call.run(200 * MS)
    assert told(call, producer) == NOTHING and events(call, producer) == 1


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ([(BEST, BEST)], EVERYTHING),
        ([(2, BEST)], EVERYTHING),
        ([(1, BEST)], [BEST, BEST, NONE]),
        ([(0, BEST)], [BEST, NONE, NONE]),
        ([(0, 0)], [0, NONE, NONE]),
        ([(2, 0), (1, 1), (0, 2)], [2, 1, 0]),
        ([(0, BEST), (1, 0)], [BEST, 0, NONE]),
        ([(0, 1), (3, 2), (1, 0)], [2, 2, 2]),
    ],
)
def test_what_viewers_prefer_counts_in_any_order(wishes, expected):
    for order in (wishes, wishes[::-1]):
        call = Call()
        producer = publish_video(call.peer())
        for spatial, temporal in order:
            watch(call.peer(), producer, spatial=spatial, temporal=temporal)
        assert settled(call, producer) == expected


def test_who_pauses_takes_nothing():
    call = Call()
    viewers, producer = [call.peer(), call.peer()], publish_video(call.peer())
    best, low = watch(viewers[0], producer, paused=True), watch(viewers[1], producer, spatial=0)
    assert settled(call, producer) == [BEST, NONE, NONE]
    call.engine.pause_consumer(best, False)
    call.run(1)
    assert told(call, producer) == EVERYTHING
    call.engine.pause_consumer(best, True)
    assert settled(call, producer) == [BEST, NONE, NONE]
    call.engine.pause_producer(producer, True)
    assert settled(call, producer) == NOTHING
    call.engine.set_preferred_layers(low, 1, BEST)
    assert settled(call, producer) == NOTHING
    call.engine.pause_producer(producer, False)
    call.run(1)
    assert told(call, producer) == [BEST, BEST, NONE]


def test_a_changed_wish_goes_up_at_once_and_down_after_quiet_each_encoding_by_itself():
    call = Call()
    producer = publish_video(call.peer())
    consumer = watch(call.peer(), producer, spatial=0)
    settled(call, producer)
    events(call, producer)
    call.engine.set_preferred_layers(consumer, 2, BEST)
    call.run(1)
    assert told(call, producer) == EVERYTHING and events(call, producer) == 1
    call.engine.set_preferred_layers(consumer, 1, BEST)
    call.run(2 * SECOND)
    call.engine.set_preferred_layers(consumer, 0, BEST)
    call.run(SECOND + 100 * MS)
    assert told(call, producer) == [BEST, BEST, NONE], "the best has been unwanted for three seconds"
    call.run(2 * SECOND)
    assert told(call, producer) == [BEST, NONE, NONE] and events(call, producer) == 2


def test_a_wish_that_comes_and_goes_is_not_told_each_time():
    call = Call()
    producer = publish_video(call.peer())
    consumer = watch(call.peer(), producer)
    call.run(SECOND)
    for _ in range(6):
        call.engine.set_preferred_layers(consumer, 0, BEST)
        call.run(2 * SECOND)
        call.engine.set_preferred_layers(consumer, 2, BEST)
        call.run(2 * SECOND)
    assert told(call, producer) == EVERYTHING and events(call, producer) == 0


def test_many_changes_at_once_are_one_event():
    call = Call()
    producer = publish_video(call.peer())
    viewers = [call.peer() for _ in range(4)]
    settled(call, producer)
    events(call, producer)
    for viewer, spatial in zip(viewers, (0, 1, 2, 0), strict=True):
        watch(viewer, producer, spatial=spatial)
    call.run(1)
    assert told(call, producer) == EVERYTHING and events(call, producer) == 1


def test_audio_and_a_single_encoding_are_wanted_or_not():
    call = Call()
    voice, camera = publish_audio(call.peer()), publish_video(call.peer(), ())
    assert (settled(call, voice), told(call, camera)) == ([NONE], [NONE])
    watch(call.peer(), voice, extensions=CC)
    watch(call.peer(), camera, spatial=0, temporal=1)
    call.run(1)
    assert (told(call, voice), told(call, camera)) == ([BEST], [1])


def test_a_viewer_whose_consent_lapsed_takes_nothing_until_it_is_back():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    producer = publish_video(publisher)
    watch(viewer, producer)
    for _ in range(36):
        publisher.check()
        call.run(SECOND)
    assert told(call, producer) == NOTHING
    viewer.check()
    call.run(1)
    assert told(call, producer) == EVERYTHING


def test_a_viewer_that_still_connects_is_awaited():
    call = Call()
    producer = publish_video(call.peer())
    watch(Peer(call), producer, spatial=1)
    assert settled(call, producer) == [BEST, BEST, NONE]


def test_an_event_that_finds_no_room_is_told_later():
    call = Call()
    stranger = Peer(call)
    stranger.check()
    call.engine.want_dtls(stranger.handle)
    producer = publish_video(call.peer())
    call.run(QUIET_US - 100 * MS)
    call.engine.read_events()
    while "event_ring_full" not in call.dropped():
        call.deliver(b"\x16\xfe\xfd" + bytes(17), stranger.address)
    call.run(SECOND)
    assert told(call, producer) == NOTHING and events(call, producer) == 0
    call.run(200 * MS)
    assert events(call, producer) == 1
    call.run(SECOND)
    assert events(call, producer) == 0


def test_commands_refuse_what_is_gone():
    call = Call()
    producer = publish_video(call.peer())
    call.engine.remove_producer(producer)
    with pytest.raises(InvalidStateError, match="producer"):
        _uplink_commands.wanted_layers(call.engine, producer)
    call.run(10 * SECOND)
    assert events(call, producer) == 0


# ---- what networks could carry


class Watched(Meeting):
    """One camera that does as it is told, one viewer whose network is watched."""

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 20)):
            wanted = told(self.call, self.cameras[0].producer)
            self.cameras[0].off = {i for i, layer in enumerate(wanted) if layer == NONE}
            super().run(0.05)

    @property
    def wanted(self) -> list[int]:
        return told(self.call, self.cameras[0].producer)


def test_what_a_viewer_s_network_refuses_for_now_stays_wanted():
    meeting = Watched(capacity_bps=700_000)
    meeting.run(15)
    assert meeting.layers() == [1], "the best does not fit"
    assert meeting.figures()["target_bps"] < RATES_BPS[2]
    assert meeting.wanted == EVERYTHING
    meeting.link.capacity_bps = 4_000_000
    meeting.run(10)
    assert meeting.layers() == [2]


def test_what_is_far_beyond_a_viewer_s_network_is_stopped_and_is_back_when_the_link_opens():
    meeting = Watched(capacity_bps=200_000)
    meeting.run(20)
    assert meeting.layers() == [0]
    assert meeting.wanted[2] == NONE and meeting.wanted[0] == BEST
    meeting.viewer.check()
    meeting.link.capacity_bps = 4_000_000
    meeting.run(20)
    assert meeting.wanted == EVERYTHING
    assert meeting.layers() == [2]


class Pair(Camera):
    """Two encodings that are far apart."""

    def __init__(self, peer: Peer, first_ssrc: int) -> None:
        self.peer = peer
        self.producer = publish_video(peer, ("q", "f"))
        self.sources = [Source(peer, first_ssrc + i, rid=rid) for i, rid in enumerate("qf")]
        self.frames = 0
        self.off = set()


def test_a_layer_far_above_the_one_below_comes_back_too(monkeypatch):
    monkeypatch.setattr("tests.test_downlink.RATES_BPS", (100_000, 3_000_000))
    monkeypatch.setattr("tests.test_downlink.Camera", Pair)
    meeting = Watched(capacity_bps=6_000_000)
    meeting.run(8)
    assert meeting.layers() == [1]
    meeting.link.capacity_bps = 90_000
    meeting.run(12)
    assert meeting.wanted == [BEST, NONE]
    meeting.viewer.check()
    meeting.link.capacity_bps = 6_000_000
    meeting.run(20)
    assert meeting.wanted == [BEST, BEST] and meeting.layers() == [1]


def test_a_viewer_with_room_keeps_what_another_cannot_have():
    meeting = Watched(capacity_bps=200_000)
    watch(meeting.call.peer(), meeting.cameras[0].producer, ssrc=8000)
    meeting.run(20)
    assert meeting.wanted == EVERYTHING


def test_the_service_s_limit_of_the_estimate_and_the_receiver_s_count():
    call = Call()
    viewer, producer = call.peer(), publish_video(call.peer())
    watch(viewer, producer, extensions=CC)
    _downlink_commands.begin(call.engine, viewer.handle, 400_000, 10_000, 500_000)
    assert settled(call, producer) == [BEST, NONE, NONE], "600 kbit/s are taken for the one in the middle"
    call = Call()
    viewer, producer = call.peer(), publish_video(call.peer())
    watch(viewer, producer, extensions=CC)
    _downlink_commands.begin(call.engine, viewer.handle, 1_000_000, 10_000, 20_000_000)
    assert settled(call, producer) == EVERYTHING
    viewer.send_rtcp(bytes(Remb(1, 200_000)))
    assert settled(call, producer) == [BEST, BEST, NONE]
    viewer.send_rtcp(bytes(Remb(1, 700_000)))
    call.run(600 * MS)
    assert told(call, producer) == EVERYTHING


# ---- copies in other workers


def joined(rids: tuple[str, ...] = ("q", "h", "f")):
    house = House()
    near, far = house.calls
    publisher = near.peer()
    producer = publish_video(publisher)
    return house, near, far, Piped(publisher, producer, far, rids=rids)


def test_a_tapped_producer_is_wanted_as_the_far_side_wants_it():
    house, near, far, piped = joined()
    house.run(QUIET_US + 100 * MS)
    assert (told(near, piped.original), told(far, piped.copy)) == (NOTHING, NOTHING)
    consumer = watch(far.peer(), piped.copy, spatial=1, temporal=1)
    house.run(1)
    assert told(near, piped.original) == [1, 1, NONE] and events(near, piped.original) == 2
    watch(near.peer(), piped.original, spatial=0)
    house.run(1)
    assert told(near, piped.original) == [BEST, 1, NONE]
    far.engine.set_preferred_layers(consumer, 2, 0)
    house.run(1)
    assert told(near, piped.original) == [BEST, 1, 0]
    house.run(QUIET_US + 100 * MS)
    assert told(near, piped.original) == [BEST, 0, 0], "quiet is waited for once, not on both sides"
    far.engine.remove_consumer(consumer)
    house.run(QUIET_US + 100 * MS)
    assert told(near, piped.original) == [BEST, NONE, NONE]
    assert (near.dropped(), far.dropped()) == ({}, {})


def test_a_viewer_that_was_there_before_the_tap_counts():
    house = House()
    near, far = house.calls
    publisher = near.peer()
    producer = publish_video(publisher)
    house.run(QUIET_US + 100 * MS)
    piped = Piped(publisher, producer, far, rids=("q", "h", "f"))
    watch(far.peer(), piped.copy, spatial=2)
    house.run(1)
    assert told(near, producer) == EVERYTHING
    _pipe_commands.add_tap(near.engine, producer, piped.ends[0], piped.copy)  # anew
    house.run(1)
    assert told(near, producer) == EVERYTHING
    house.run(QUIET_US + SECOND)
    assert told(near, producer) == EVERYTHING


def test_when_the_copy_or_the_pipe_goes_nobody_is_left():
    for end in ("tap", "pipe"):
        house, near, far, piped = joined()
        watch(far.peer(), piped.copy)
        house.run(QUIET_US + 100 * MS)
        assert told(near, piped.original) == EVERYTHING
        if end == "tap":
            _pipe_commands.remove_tap(near.engine, piped.original, piped.ends[0])
        else:
            _pipe_commands.close(near.engine, piped.ends[0])
        house.run(QUIET_US + 100 * MS)
        assert told(near, piped.original) == NOTHING


# ---- stopping and coming back


def play(call: Call, cameras: list[Camera], seconds: float) -> None:
    for _ in range(round(seconds * 30)):
        for camera in cameras:
            camera.frame()
        call.run(33_333)


def test_an_encoding_that_is_stopped_is_left_and_is_back_with_a_key_frame_when_it_is_wanted_again():
    call = Call()
    camera, viewer = Camera(call.peer(), 100), call.peer()
    consumer = watch(viewer, camera.producer)
    play(call, [camera], 2)
    current = lambda: call.engine.consumer_figures(consumer)["current_layers"][0]  # noqa: E731
    assert current() == 2
    call.engine.set_preferred_layers(consumer, 1, BEST)
    play(call, [camera], 4)
    assert told(call, camera.producer) == [BEST, BEST, NONE]
    camera.off = {2}
    play(call, [camera], 3)
    assert current() == 1
    assert [f["alive"] for f in call.engine.producer_figures(camera.producer)] == [True, True, False]
    asked = call.engine.producer_figures(camera.producer)[2]["key_frames_asked"]
    call.engine.set_preferred_layers(consumer, 2, BEST)
    call.run(1)
    assert told(call, camera.producer) == EVERYTHING
    play(call, [camera], 0.5)
    assert current() == 1, "nothing of it has come yet, and the viewer keeps what it has"
    camera.off = set()
    play(call, [camera], 0.1)
    assert call.engine.producer_figures(camera.producer)[2]["key_frames_asked"] == asked + 1
    assert current() == 2


def test_a_viewer_of_an_encoding_that_stops_falls_back_and_one_in_between_is_not_touched():
    call = Call()
    camera = Camera(call.peer(), 100)
    consumers = [watch(call.peer(), camera.producer, spatial=spatial) for spatial in range(3)]
    play(call, [camera], 2)
    camera.off = {2}
    play(call, [camera], 2)
    assert [call.engine.consumer_figures(c)["current_layers"][0] for c in consumers] == [0, 1, 1]
    assert told(call, camera.producer) == EVERYTHING, "it is wanted all the same"


def test_a_publisher_that_stopped_altogether_is_back_for_who_comes():
    call = Call()
    camera = Camera(call.peer(), 100)
    play(call, [camera], 4)
    assert told(call, camera.producer) == NOTHING
    call.run(10 * SECOND)
    viewer = call.peer()
    consumer = watch(viewer, camera.producer)
    call.run(100 * MS)
    assert told(call, camera.producer) == EVERYTHING
    play(call, [camera], 0.5)
    assert call.engine.consumer_figures(consumer)["current_layers"][0] == 2
    assert viewer.rtp[0].at_us <= call.now_us - 300 * MS


def test_where_only_the_lowest_comes_back_it_is_not_waited_for_the_best():
    call = Call()
    camera = Camera(call.peer(), 100)
    play(call, [camera], 4)
    call.run(10 * SECOND)
    consumer = watch(call.peer(), camera.producer)
    camera.off = {1, 2}
    play(call, [camera], 0.7)
    assert call.engine.consumer_figures(consumer)["current_layers"][0] == 0


def test_with_a_watched_network_a_wish_is_met_soon_after_the_encoding_is_back():
    meeting = Watched()
    meeting.run(4)
    (consumer,) = meeting.consumers
    meeting.call.engine.set_preferred_layers(consumer, 0, BEST)
    meeting.run(6)
    assert meeting.wanted == [BEST, NONE, NONE] and meeting.layers() == [0]
    meeting.call.engine.set_preferred_layers(consumer, 2, BEST)
    waited = 0.0
    while meeting.layers() != [2]:
        meeting.run(0.05)
        waited += 0.05
        assert waited < 2
    assert waited <= 0.3


def test_requests_for_key_frames_keep_their_distance_when_an_encoding_flaps():
    call = Call()
    publisher, producer, sources = simulcast(call)
    watch(call.peer(), producer)
    before = len(publisher.rtcp_of(206, 1))
    began_us = call.now_us
    for n in range(600):
        for source in sources[: 2 + (n // 60) % 2]:
            source.send_frame()
            source.advance(33_333)
        call.run(33_333)
    asked = [int.from_bytes(data[8:12], "big") for data in publisher.rtcp_of(206, 1)[before:]]
    for source in sources:
        assert asked.count(source.ssrc) <= (call.now_us - began_us) // (500 * MS) + 1
