"""What clients are told that they may send, in virtual time; `mediarouter.rtcp` and aiortc read what was written."""

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter import _downlink_commands, _uplink_commands, rtcp
from mediarouter.errors import InvalidStateError
from mediarouter.rtcp import Remb, Tmmbr
from tests.test_downlink import Camera
from tests.test_wanted import CC, QUIET_US, told
from tests.virtual import BEST, Call, Peer, Source, publish_audio, watch

MS, SECOND = 1000, 1_000_000
LIFTED_BPS = 1_000_000_000


class Client:
    """A camera of three encodings, and what its client was told."""

    def __init__(self, *, remb: bool = True, tmmbr: bool = False, first_ssrc: int = 100) -> None:
        self.call = Call()
        self.peer = self.call.peer()
        self.camera = Camera(self.peer, first_ssrc)
        self.limits: list[tuple[int, Remb | Tmmbr]] = []
        _uplink_commands.set_limited_by(self.call.engine, self.camera.producer, remb, tmmbr)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 30)):
            self.camera.frame()
            self.call.run(33_333)
            self.listen()

    def listen(self) -> None:
        for _, _, data in self.peer.rtcp:
            (packet,) = rtcp.parse(data)
            if isinstance(packet, Remb | Tmmbr):
                self.limits.append((self.call.now_us, packet))
        # Camera looks for requests of key frames itself
        self.peer.rtcp = [item for item in self.peer.rtcp if item[:2] == (206, 1)]

    def limit(self, bps: int, *, wanted_only: bool = False) -> None:
        _uplink_commands.set_max_incoming_bitrate(self.call.engine, self.peer.handle, bps, wanted_only)
        self.call.collect()
        self.listen()

    def take(self) -> list[Remb | Tmmbr]:
        found = [packet for _, packet in self.limits]
        self.limits.clear()
        return found


def test_a_limit_is_told_at_once_and_then_each_second():
    client = Client()
    client.run(1)
    assert client.take() == []
    client.limit(800_000)
    assert [(p.bitrate_bps, p.ssrcs) for p in client.take()] == [(800_000, (100, 101, 102))]
    client.run(10)
    times = [at_us for at_us, _ in client.limits]
    assert {p.bitrate_bps for p in client.take()} == {800_000} and 9 <= len(times) <= 11
    assert min(b - a for a, b in zip(times, times[1:], strict=False)) >= 900 * MS
    client.limit(800_000)
    assert client.take() == [], "nothing new"
    client.limit(500_000)
    assert [p.bitrate_bps for p in client.take()] == [500_000]


@given(st.integers(1_000, 1_000_000_000))
@settings(max_examples=50, deadline=None)
def test_aiortc_reads_the_same_limit(bps):
    client = Client()
    client.run(0.1)
    client.limit(bps)
    (limit,) = client.take()
    (theirs,) = aiortc_rtp.RtcpPacket.parse(bytes(limit))
    told_bps, ssrcs = aiortc_rtp.unpack_remb_fci(theirs.fci)
    assert ssrcs == [100, 101, 102]
    assert bps - (bps >> 17) <= told_bps == limit.bitrate_bps <= bps


def test_a_lifted_limit_is_told_a_few_times_and_then_no_more():
    client = Client()
    client.run(1)
    client.limit(800_000)
    client.run(1)
    client.take()
    client.limit(0)
    client.run(10)
    lifted = client.take()
    assert len(lifted) == 4 and all(p.bitrate_bps > LIFTED_BPS * 0.99999 for p in lifted)
    client.limit(300_000)
    client.limit(0)
    client.limit(300_000)
    assert [p.bitrate_bps // 1000 for p in client.take()] == [300, 999_997, 300]


def test_who_negotiated_neither_hears_nothing():
    client = Client(remb=False)
    client.limit(800_000, wanted_only=True)
    client.run(5)
    assert client.take() == []


def test_a_limit_waits_for_the_client_and_its_streams():
    call = Call()
    peer = Peer(call)
    client = Client.__new__(Client)
    client.call, client.peer, client.limits = call, peer, []
    client.limit(400_000)
    client.camera = Camera(peer, 100)
    _uplink_commands.set_limited_by(call.engine, client.camera.producer, True, False)
    call.run(2 * SECOND)
    peer.connect()
    call.run(2 * SECOND)
    client.listen()
    assert client.take() == [], "no stream is known yet"
    client.run(2)
    assert {p.bitrate_bps for p in client.take()} == {400_000}


def test_while_all_is_wanted_there_is_no_limit_but_the_service_s():
    client = Client()
    watch(client.call.peer(), client.camera.producer)
    client.limit(0, wanted_only=True)
    client.run(5)
    assert client.take() == []
    client.limit(2_000_000, wanted_only=True)
    client.run(1)
    assert {p.bitrate_bps for p in client.take()} == {2_000_000}


def test_what_nobody_wants_is_not_paid_for():
    client = Client()
    consumer = watch(client.call.peer(), client.camera.producer, spatial=1)
    client.limit(0, wanted_only=True)
    client.run(2)
    assert client.take() == []
    client.run(2)
    wanted = {p.bitrate_bps for p in client.take()}
    # 150 and 500 kbit/s with overhead and a quarter more; a third encoding of 300 kbit/s would be too much
    assert wanted and all(800_000 <= bps <= 1_000_000 for bps in wanted)
    client.call.engine.set_preferred_layers(consumer, 2, BEST)
    client.call.run(1)
    client.listen()
    assert [p.bitrate_bps > LIFTED_BPS * 0.99999 for p in client.take()] == [True], "at once"
    client.limit(200_000, wanted_only=True)
    client.call.engine.set_preferred_layers(consumer, 0, BEST)
    client.run(5)
    assert {p.bitrate_bps for p in client.take()} == {200_000}, "the service's is less"


def test_where_nothing_is_wanted_audio_is_paid_for_all_the_same():
    client = Client()
    voice = publish_audio(client.peer)
    client.limit(0, wanted_only=True)
    client.run(4)
    assert told(client.call, client.camera.producer) == [-1, -1, -1] and told(client.call, voice) == [-1]
    assert {p.bitrate_bps for p in client.take()} == {40_000}
    client.call.engine.remove_producer(voice)
    client.run(2)
    assert client.take()[-1].bitrate_bps == 30_000


def test_a_limit_does_not_follow_what_it_causes():
    client = Client()
    watch(client.call.peer(), client.camera.producer, spatial=1)
    client.limit(0, wanted_only=True)
    client.run(4)
    client.camera.off = {1, 2}  # a client that has stopped more than it had to
    client.run(20)
    client.peer.check()
    limits = [p.bitrate_bps for p in client.take()]
    assert min(limits) >= 750_000, "there is always room to begin again"


def test_tmmbr_is_told_to_who_takes_no_remb_by_stream():
    client = Client(remb=False, tmmbr=True)
    watch(client.call.peer(), client.camera.producer, spatial=1)
    client.run(1)
    client.limit(1_050_000)
    (request,) = client.take()
    assert isinstance(request, Tmmbr)
    assert [limit.ssrc for limit in request.limits] == [100, 101, 102]
    assert [limit.overhead for limit in request.limits] == [44] * 3
    shares = [limit.bitrate_bps for limit in request.limits]
    assert 1_000_000 <= sum(shares) <= 1_050_000 and shares == sorted(shares)
    client.limit(1_050_000, wanted_only=True)
    client.run(4)
    shares = [limit.bitrate_bps for limit in client.take()[-1].limits]
    assert shares[2] == 0 and sum(shares) <= 1_050_000
    client.limit(0)
    assert all(limit.bitrate_bps > LIFTED_BPS * 0.9999 for limit in client.take()[-1].limits)


def test_the_smallest_stream_has_its_share_too():
    client = Client(remb=False, tmmbr=True)
    client.run(1)
    client.limit(10_000)
    shares = [limit.bitrate_bps for limit in client.take()[-1].limits]
    assert 0 < shares[0] < shares[1] < shares[2] and 9_900 <= sum(shares) <= 10_000


def test_who_takes_both_gets_remb():
    client = Client(remb=True, tmmbr=True)
    client.run(1)
    client.limit(500_000)
    assert [type(p) for p in client.take()] == [Remb]


@pytest.mark.parametrize("bps", [-1, 1, 999, 1_000_000_001, 1 << 62])
def test_a_limit_out_of_range_is_refused_and_nothing_changes(bps):
    client = Client()
    client.run(0.5)
    client.limit(5000)
    client.take()
    with pytest.raises(ValueError, match="a limit must be"):
        client.limit(bps)
    client.run(2)
    assert {p.bitrate_bps for p in client.take()} == {5000}


def test_commands_refuse_what_is_gone():
    client = Client()
    client.call.engine.remove_transport(client.peer.handle)
    with pytest.raises(InvalidStateError, match="transport"):
        client.limit(5000)
    with pytest.raises(InvalidStateError, match="producer"):
        _uplink_commands.set_limited_by(client.call.engine, client.camera.producer, True, True)


def test_what_only_a_narrow_viewer_takes_is_limited_for_it():
    client = Client()
    viewer = client.call.peer()
    watch(viewer, client.camera.producer, extensions=CC)
    _downlink_commands.begin(client.call.engine, viewer.handle, 30_000, 10_000, 60_000)
    client.limit(0, wanted_only=True)
    client.run(QUIET_US / SECOND + 0.5)
    assert told(client.call, client.camera.producer) == [BEST, -1, -1]
    assert {p.bitrate_bps <= 300_000 for p in client.take()} == {True}


def test_other_transports_are_not_told():
    client = Client()
    other = client.call.peer()
    voice = Source(other, 5, payload_type=111, mid="a", clock_rate=48000)
    publish_audio(other)
    other.send(voice.packet(bytes(60)))
    client.run(0.5)
    client.limit(500_000)
    client.run(3)
    assert other.rtcp_of(206, 15) == []
