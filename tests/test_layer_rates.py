"""What layers cost, measured as they come in."""

import pytest

from mediarouter import _downlink_commands
from mediarouter.errors import InvalidStateError
from tests.test_downlink import MS, OVERHEAD, RATES_BPS, Camera
from tests.virtual import Call, Source, publish_audio

ABOVE = 1.12  # headers, by what they add to the rates of the payloads


def film(call: Call, camera: Camera, frames: int) -> list[tuple[int, int, int, int]]:
    for _ in range(frames):
        camera.frame()
        call.run(1_000_000 // 30)
    return _downlink_commands.layers(call.engine, camera.producer)


def test_each_layer_has_its_rate_and_all_that_it_builds_on():
    call = Call()
    camera = Camera(call.peer(), 100)
    rows = {row[:2]: row[2] for row in film(call, camera, 900)}
    assert set(rows) == {(s, t) for s in range(3) for t in range(2)}
    for spatial, rate_bps in enumerate(RATES_BPS):
        assert rows[spatial, 1] == pytest.approx(rate_bps * ABOVE, rel=0.1)
        assert rows[spatial, 0] == pytest.approx(rows[spatial, 1] / 2, rel=0.15)


def test_a_better_layer_is_worth_more():
    call = Call()
    camera = Camera(call.peer(), 100)
    rows = sorted(film(call, camera, 60))
    for below, above in zip(rows, rows[1:], strict=False):
        assert below[3] < above[3]


def test_before_the_first_measure_it_is_a_guess_and_soon_a_measure():
    call = Call()
    camera = Camera(call.peer(), 100)
    rows = film(call, camera, 1)
    assert [row[:3] for row in rows] == [(0, 0, 150_000), (1, 0, 600_000), (2, 0, 2_400_000)]
    rows = film(call, camera, 10)
    assert len(rows) == 6, "after a third of a second"


def test_what_sits_still_for_a_moment_does_not_look_cheap_and_what_stops_goes():
    call = Call()
    camera = Camera(call.peer(), 100)
    film(call, camera, 90)
    before = dict((row[:2], row[2]) for row in film(call, camera, 1))
    camera.off.add(2)
    after = dict((row[:2], row[2]) for row in film(call, camera, 30))
    assert after[2, 1] >= before[2, 1] // 2
    assert not {spatial for spatial, *_ in film(call, camera, 60)} & {2}, "its encoding is off"
    camera.off.clear()
    assert {spatial for spatial, *_ in film(call, camera, 60)} == {0, 1, 2}


def test_what_comes_back_costs_what_it_did_until_it_is_measured():
    call = Call()
    camera = Camera(call.peer(), 100)
    film(call, camera, 300)
    camera.off.add(2)
    assert {row[0] for row in film(call, camera, 90)} == {0, 1}
    camera.off.clear()
    (back,) = (row for row in film(call, camera, 1) if row[0] == 2)
    assert back[2] == pytest.approx(RATES_BPS[2] * ABOVE, rel=0.25)


def test_audio_has_one():
    call = Call()
    talker = call.peer()
    producer = publish_audio(talker)
    voice = Source(talker, 5, payload_type=111, mid="a", clock_rate=48000)
    for _ in range(150):
        talker.send(voice.packet(bytes(80)))
        call.run(20 * MS)
    ((spatial, temporal, bitrate_bps, _),) = _downlink_commands.layers(call.engine, producer)
    assert (spatial, temporal) == (0, 0)
    assert bitrate_bps == pytest.approx((80 + OVERHEAD) * 8 * 50, rel=0.1)


def test_of_a_producer_that_is_gone_there_is_none():
    with pytest.raises(InvalidStateError, match="producer"):
        _downlink_commands.layers(Call().engine, 0)
