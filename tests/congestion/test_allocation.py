"""Meetings: who gets what, in which order streams are paused and come back, and what time has to do with it."""

import dataclasses
import random

import pytest

from mediarouter.congestion.allocation import (
    History,
    Layer,
    Reason,
    StreamClass,
    StreamWish,
    Target,
    allocate,
    applied,
    plan,
)
from tests.congestion.offers import Viewer, shown, simulcast, single, steps, svc, voice

SECOND = 1_000_000
TOP, LOWEST, PAUSED = (2, 2), (0, 0), (-1, -1)


def grid(count: int, **fields: object) -> list[StreamWish]:
    return [StreamWish(simulcast(), **fields) for _ in range(count)]


# ---- who gets what


def test_at_64_kbit_s_everybody_who_speaks_is_heard() -> None:
    speaking = [StreamWish(voice(20_000), stream_class=StreamClass.AUDIO, weight=1000) for _ in range(3)]
    silent = [StreamWish(voice(1_600), stream_class=StreamClass.AUDIO, weight=10) for _ in range(17)]
    video = [StreamWish(simulcast(), stream_class=StreamClass.SPEAKER), *grid(5)]
    allocation = plan(64_000, [*silent, *video, *speaking])
    assert not any(target.paused for target in allocation.targets[-3:])
    assert all(target.paused for target in allocation.targets[17:23])
    assert sum(not target.paused for target in allocation.targets[:17]) == 2, "and of the silent who fit"
    assert allocation.total_bps == 63_200


def test_who_must_be_heard_is_sent_beyond_the_budget() -> None:
    speaking = [StreamWish(voice(32_000), stream_class=StreamClass.AUDIO, must_send=True) for _ in range(3)]
    allocation = plan(64_000, [*grid(2), *speaking])
    assert [target.paused for target in allocation.targets] == [True, True, False, False, False]
    assert [target.reason for target in allocation.targets[2:]] == [Reason.MET, Reason.MET, Reason.OVERSEND]
    assert allocation.total_bps == 96_000


def test_all_run_before_any_is_raised_and_classes_are_raised_in_turn() -> None:
    streams = [*grid(8), StreamWish(simulcast(), stream_class=StreamClass.PINNED)]
    assert shown(allocate(75_000 * 9, streams)) == [LOWEST] * 9
    *others, pinned = shown(allocate(75_000 * 9 + 1_000_000, streams))
    assert pinned == (2, 1) and others == [LOWEST] * 8, "25 kbit/s are left, and 30 a step"
    *others, pinned = shown(allocate(75_000 * 8 + 1_500_000, streams))
    assert pinned == TOP and others == [LOWEST] * 8


def test_a_screen_comes_before_a_pinned_stream_and_this_before_the_speaker() -> None:
    kinds = [StreamClass.SPEAKER, StreamClass.SCREEN, StreamClass.GRID, StreamClass.PINNED]
    streams = [StreamWish(simulcast(), stream_class=kind) for kind in kinds]
    targets = allocate(1_500_000 + 500_000 + 75_000 * 2, streams)
    assert shown(targets) == [LOWEST, TOP, LOWEST, (1, 2)]
    assert [target.reason.name for target in targets] == ["PRIORITY", "MET", "PRIORITY", "PRIORITY"]
    assert {target.reason for target in allocate(74_999, streams)} == {Reason.BANDWIDTH}


def test_many_streams_of_great_weight_do_not_outvote_a_class() -> None:
    # where priority is how often a stream is served in turn, a crowd takes the speaker's bits
    streams = [StreamWish(simulcast(), stream_class=StreamClass.SPEAKER, weight=1), *grid(40, weight=1000)]
    assert shown(allocate(75_000 * 40 + 1_500_000, streams)) == [TOP, *[LOWEST] * 40]


def test_a_screen_that_is_of_no_use_small_is_paused() -> None:
    screen = StreamWish(simulcast(), stream_class=StreamClass.SCREEN, min_spatial=2)
    assert [target.spatial for target in allocate(749_999, [screen, *grid(2)])] == [-1, 1, 1]
    assert shown(allocate(750_000, [screen, *grid(2)])) == [(2, 0), PAUSED, PAUSED]


def test_a_temporal_only_screen_is_thinned() -> None:
    screen = tuple(
        Layer(0, t, rate, height=1080, fps=fps) for t, (rate, fps) in enumerate([(400_000, 8), (900_000, 30)])
    )
    wish = StreamWish(screen, stream_class=StreamClass.SCREEN)
    assert [shown(allocate(budget, [wish])) for budget in (399_999, 899_999, 900_000)] == [[PAUSED], [(0, 0)], [(0, 1)]]


def test_a_small_picture_gets_no_large_one() -> None:
    streams = [StreamWish(simulcast(), max_height=180), StreamWish(simulcast(), max_height=360, max_fps=15)]
    allocation = plan(10_000_000, streams)
    assert shown(allocation.targets) == [(0, 2), (1, 1)]
    assert allocation.next_demand_bps == 0 and allocation.wanted_bps == allocation.total_bps == 500_000
    assert {target.reason for target in allocation.targets} == {Reason.MET}


@pytest.mark.parametrize("layers", [simulcast(), svc()], ids=["simulcast", "svc"])
def test_equal_streams_are_raised_together(layers: tuple[Layer, ...]) -> None:
    for budget_bps in range(300_000, 9_000_000, 10_000):
        spatial = [target.spatial for target in allocate(budget_bps, [StreamWish(layers)] * 4)]
        assert max(spatial) - min(spatial) <= 1, "nobody gets 720p while another has 180p"


def test_svc_pays_for_what_lies_below() -> None:
    (target,) = allocate(2_149_999, [StreamWish(svc())])
    assert target.spatial == 2 and target.temporal < 2
    (target,) = allocate(2_150_000, [StreamWish(svc())])
    assert (target.spatial, target.temporal, target.bitrate_bps) == (2, 2, 2_150_000)


def test_sizes_that_are_not_known_are_judged_by_bitrate() -> None:
    layers = (Layer(0, 0, 150_000), Layer(1, 0, 500_000), Layer(2, 0, 1_500_000))
    assert shown(allocate(700_000, [StreamWish(layers)] * 2)) == [(1, 0), (0, 0)]


# ---- who is paused


def test_streams_are_paused_class_by_class_from_below_and_audio_last() -> None:
    kinds = [StreamClass.AUDIO, StreamClass.SCREEN, StreamClass.PINNED, StreamClass.SPEAKER, StreamClass.GRID]
    viewer = Viewer(*(StreamWish(single(100_000), stream_class=kind) for kind in kinds))
    running = []
    for budget_bps in (500_000, 450_000, 350_000, 250_000, 150_000, 50_000):
        running.append([not target.paused for target in viewer.decide(budget_bps).targets].count(True))
        assert [target.paused for target in viewer.decide(budget_bps).targets] == [i >= running[-1] for i in range(5)]
    assert running == [5, 4, 3, 2, 1, 0]


def test_layers_fall_before_anything_is_paused() -> None:
    viewer = Viewer(StreamWish(simulcast(), stream_class=StreamClass.SPEAKER), *grid(3))
    assert viewer.decide(10_000_000).total_bps == 6_000_000
    assert shown(viewer.decide(300_000).targets) == [LOWEST] * 4
    assert shown(viewer.decide(299_999).targets) == [(0, 1), (0, 1), LOWEST, PAUSED]


def test_of_equals_those_that_run_go_on() -> None:
    viewer = Viewer(*grid(3))
    viewer.change(0, muted=True)
    viewer.decide(150_000)
    viewer.change(0, muted=False)
    assert shown(viewer.decide(150_000).targets) == [PAUSED, LOWEST, LOWEST]
    viewer.change(0, weight=200)
    assert shown(viewer.decide(150_000).targets) == [LOWEST, LOWEST, PAUSED]


def test_a_stream_that_does_not_fit_lets_a_smaller_one_run() -> None:
    targets = allocate(100_000, [StreamWish(single(200_000), weight=200), StreamWish(single(90_000))])
    assert [target.paused for target in targets] == [True, False]


def test_muted_and_silent_streams_cost_nothing() -> None:
    targets = allocate(75_000, [StreamWish(simulcast(), muted=True), StreamWish(()), *grid(1)])
    assert [target.reason for target in targets] == [Reason.MUTED, Reason.NO_LAYER, Reason.BANDWIDTH]
    assert [target.paused for target in targets] == [True, True, False]


# ---- who makes room


def paused_speaker(*grid_layers: tuple[Layer, ...]) -> Viewer:
    """A speaker of 100 kbit/s whom 99 kbit/s paused, so that the grid has them."""
    speaker = StreamWish(single(100_000), stream_class=StreamClass.SPEAKER)
    viewer = Viewer(speaker, *(StreamWish(layers) for layers in grid_layers))
    viewer.decide(1_000_000)
    viewer.run(99_000, 40 * SECOND)
    assert viewer.layers[0] == PAUSED
    return viewer


def test_a_stream_that_cannot_be_resumed_for_want_of_proof_gets_the_bits_of_a_lower_class() -> None:
    # no tenth of its 95 kbit/s is left below 99; but the grid has carried 98
    viewer = paused_speaker(steps((30_000, 0), (98_000, 4000)))
    assert viewer.layers[1] == (1, 0)
    viewer.change(0, layers=single(95_000))
    assert shown(viewer.decide(99_000).targets) == [LOWEST, PAUSED]


def test_not_even_a_back_off_keeps_it_paused_while_a_lower_class_runs() -> None:
    speaker = StreamWish(single(100_000), stream_class=StreamClass.SPEAKER)
    viewer = Viewer(speaker, StreamWish(steps((30_000, 0), (98_000, 4000))))
    viewer.decide(1_000_000)
    viewer.run(99_000, 600_000)
    assert viewer.wishes[0].history.backoff_until_us > viewer.now_us
    viewer.change(0, layers=single(95_000))
    assert shown(viewer.decide(99_000).targets) == [LOWEST, PAUSED]


def test_bits_prove_room_for_one_stream_alone() -> None:
    speaker = StreamWish(single(100_000), stream_class=StreamClass.SPEAKER)
    viewer = Viewer(speaker, speaker, StreamWish(steps((5_000, 0), (98_000, 4000))))
    viewer.decide(1_000_000)
    viewer.run(99_000, 40 * SECOND)
    for i in range(2):
        viewer.change(i, layers=single(60_000))
    # 65 kbit/s are left for the second, a tenth too few; 38 are carried
    assert [target.paused for target in viewer.decide(125_000).targets[:2]] == [False, True]


def test_bits_that_have_no_room_any_more_prove_nothing() -> None:
    speaker = StreamWish(steps((20_000, 0), (100_000, 4000)), stream_class=StreamClass.SPEAKER)
    viewer = Viewer(speaker, StreamWish(steps((10_000, 0), (50_000, 4000))))
    viewer.run(110_000, 40 * SECOND)
    assert viewer.layers == [(1, 0), (0, 0)]
    viewer.run(71_000, 100_000)
    assert viewer.layers == [(0, 0), (0, 0)], "41 kbit/s are left for a step of 40"


def test_bits_that_are_not_in_use_prove_nothing() -> None:
    viewer = paused_speaker(*[single(35_000)] * 3)
    assert viewer.layers == [PAUSED, LOWEST, LOWEST, PAUSED]
    allocation = viewer.run(105_000, 10 * SECOND)
    assert viewer.layers == [PAUSED, LOWEST, LOWEST, PAUSED], "70 kbit/s prove no 100"
    assert allocation.targets[0].reason is Reason.HELD
    assert allocation.next_demand_bps == 70_000 + 115_000, "what the speaker needs, beside the two"
    viewer.run(110_000, SECOND)
    assert viewer.layers == [LOWEST, PAUSED, PAUSED, PAUSED]


def test_those_make_room_that_lose_the_least() -> None:
    speaker = StreamWish(single(60_000), stream_class=StreamClass.SPEAKER)
    dear = StreamWish(steps((20_000, 0), (80_000, 4000)))
    cheap = StreamWish(steps((20_000, 0), (80_000, 1000)))
    viewer = Viewer(dataclasses.replace(speaker, muted=True), cheap, dear, cheap)
    viewer.run(240_000, 2 * SECOND)
    viewer.change(0, muted=False)
    assert shown(viewer.decide(240_000).targets) == [(0, 0), (1, 0), (1, 0), (0, 0)], "one of the cheap pays, no more"


def test_a_new_speaker_has_the_large_picture_at_once() -> None:
    viewer = Viewer(*grid(3))
    viewer.change(0, stream_class=StreamClass.SPEAKER)
    viewer.run(1_800_000, 60 * SECOND)
    assert viewer.layers[0] == TOP
    viewer.change(0, stream_class=StreamClass.GRID)
    viewer.change(2, stream_class=StreamClass.SPEAKER)
    before = viewer.spatial_changes
    assert shown(viewer.decide(1_800_000).targets)[2] == TOP
    assert viewer.spatial_changes == before + 2, "the two that changed places"
    assert [wish.history.failed_upgrades for wish in viewer.wishes] == [0, 0, 0], "who makes room has not failed"


def test_who_makes_room_has_not_failed() -> None:
    viewer = Viewer(StreamWish(simulcast(), stream_class=StreamClass.SPEAKER), *grid(1))
    viewer.run(1_800_000, 5 * SECOND)
    assert viewer.layers[0] == TOP
    for speaker in (1, 0, 1):  # each speaks for a few seconds
        viewer.change(speaker, stream_class=StreamClass.SPEAKER)
        viewer.change(1 - speaker, stream_class=StreamClass.GRID)
        assert shown(viewer.run(1_800_000, 3 * SECOND).targets)[speaker] == TOP
        assert [wish.history.failed_upgrades for wish in viewer.wishes] == [0, 0]


def test_equal_streams_do_not_take_turns() -> None:
    viewer = Viewer(*grid(2))
    viewer.run(420_000, 5 * SECOND)
    assert viewer.layers == [(1, 0), (0, 2)], "there is room for one"
    viewer.spatial_changes, rng = 0, random.Random(1)
    for _ in range(300):
        for i in range(2):  # measured rates wander by 8 %
            layers = tuple(
                dataclasses.replace(layer, bitrate_bps=layer.bitrate_bps * rng.randint(92, 100) // 100)
                for layer in simulcast()
            )
            viewer.change(i, layers=layers)
        viewer.run(420_000, 200_000)
    assert viewer.spatial_changes == 0


# ---- up and down


def watching(budget_bps: int = 600_000, **fields: object) -> Viewer:
    viewer = Viewer(StreamWish(simulcast(), **fields))
    viewer.run(budget_bps, 5 * SECOND)
    viewer.spatial_changes = viewer.changes = 0
    return viewer


def time_to(viewer: Viewer, layers: tuple[int, int], budget_bps: int) -> int:
    start_us = viewer.now_us
    viewer.decide(budget_bps)
    while viewer.layers[0] != layers:
        viewer.now_us += 50_000
        viewer.decide(budget_bps)
        assert viewer.now_us < start_us + 60 * SECOND
    return viewer.now_us - start_us


def test_an_upgrade_waits_for_half_a_second_of_room() -> None:
    viewer = watching()
    assert viewer.layers == [(1, 2)]
    assert viewer.decide(2_500_000).targets == [Target(1, 2, 500_000, Reason.HELD, has_room=True)]
    assert time_to(viewer, TOP, 2_500_000) == 500_000


def test_room_that_comes_and_goes_is_none() -> None:
    viewer = watching()
    for _ in range(20):
        viewer.run(2_500_000, 400_000)
        viewer.run(600_000, 50_000)
    assert viewer.spatial_changes == 0


def test_a_proven_budget_is_used_at_once() -> None:
    viewer = watching()
    viewer.change(0, proven=True)
    assert time_to(viewer, TOP, 2_500_000) == 0


def test_an_upgrade_leaves_a_tenth_and_room_for_its_key_frame() -> None:
    viewer = watching(max_temporal=0)
    assert viewer.layers == [(1, 0)]
    needed_bps = 750_000 + (750_000 - 250_000) // 10
    viewer.run(needed_bps - 1, 5 * SECOND)
    assert viewer.layers == [(1, 0)]
    assert viewer.wishes[0].history.room_since_us == -1
    assert time_to(viewer, (2, 0), needed_bps) == 500_000
    viewer = Viewer(StreamWish(simulcast(key_frame_bytes=12_500), max_temporal=0))
    viewer.run(600_000, 5 * SECOND)
    viewer.run(needed_bps + 99_999, 5 * SECOND)
    assert viewer.layers == [(1, 0)]
    assert time_to(viewer, (2, 0), needed_bps + 100_000) == 500_000


def test_a_key_frame_takes_the_room_of_other_upgrades_for_a_second() -> None:
    table = tuple(dataclasses.replace(layer, key_frame_bytes=25_000) for layer in steps((100, 0), (100_000, 4000)))
    other = (Layer(0, 0, 50_000, utility=1), Layer(0, 1, 90_000, utility=2))
    viewer = Viewer(StreamWish(table), StreamWish(other))
    viewer.run(60_000, SECOND)
    viewer.run(400_000, SECOND)
    first = viewer.wishes[0].history.last_upgrade_us
    assert viewer.layers[0] == (1, 0)
    viewer.now_us = first + 900_000
    low = dataclasses.replace(viewer.wishes[1], history=History(0, 0, last_change_us=0))
    viewer.wishes[1] = low
    assert shown(plan(350_000, viewer.wishes, first + 900_000).targets)[1] == (0, 0)
    assert shown(plan(350_000, viewer.wishes, first + 1_000_000).targets)[1] == (0, 1)


def test_going_down_is_at_once_and_by_a_few_percent_too() -> None:
    viewer = watching(1_500_000)
    assert viewer.layers == [TOP]
    assert shown(viewer.decide(1_450_000).targets) == [(2, 1)]
    assert shown(viewer.decide(600_000).targets) == [(1, 2)]
    assert viewer.now_us == 5 * SECOND


def test_failed_upgrades_wait_longer_each_time_and_one_that_holds_ends_it() -> None:
    viewer = watching(2_500_000)
    waits = []
    for _ in range(7):
        viewer.run(600_000, 100_000)
        assert viewer.layers == [(1, 2)]
        waits.append(time_to(viewer, TOP, 2_500_000) + 100_000)
        viewer.run(2_500_000, 5 * SECOND)
    assert waits == [1_000_000, 2_000_000, 4_000_000, 8_000_000, 10_000_000, 10_000_000, 10_000_000]
    viewer.run(2_500_000, 30 * SECOND)
    viewer.run(600_000, 100_000)
    assert time_to(viewer, TOP, 2_500_000) == 500_000, "what held for 30 s has not failed"


def test_a_fall_over_several_layers_is_one_failure() -> None:
    viewer = watching(2_500_000)
    for budget_bps in (1_100_000, 600_000, 400_000, 160_000):
        viewer.decide(budget_bps)
    assert viewer.wishes[0].history.failed_upgrades == 1


def test_the_reason_tells_what_an_upgrade_waits_for() -> None:
    viewer = watching(2_500_000)
    viewer.decide(600_000)
    (target,) = viewer.decide(2_500_000).targets
    assert target == Target(1, 2, 500_000, Reason.BACK_OFF, has_room=True)
    (target,) = viewer.run(2_500_000, SECOND).targets
    assert target.reason is Reason.MET


def test_a_paused_stream_resumes_within_a_second() -> None:
    viewer = watching()
    viewer.run(50_000, 40 * SECOND)
    assert viewer.layers == [PAUSED]
    assert time_to(viewer, LOWEST, 83_000) == 500_000
    viewer.run(50_000, 40 * SECOND)
    viewer.run(82_000, 20 * SECOND)
    assert viewer.layers == [PAUSED], "a tenth more than its 75 kbit/s"


def test_what_was_muted_comes_back_without_waiting() -> None:
    viewer = watching(2_500_000)
    viewer.change(0, muted=True)
    assert viewer.decide(2_500_000).targets[0].reason is Reason.MUTED
    viewer.change(0, muted=False)
    assert time_to(viewer, TOP, 2_500_000) == 0


def test_a_layer_that_stops_is_left_at_once_and_entered_again_as_any_other() -> None:
    viewer = watching(2_500_000)
    viewer.change(0, layers=simulcast()[:6])
    assert shown(viewer.decide(2_500_000).targets) == [(1, 2)]
    assert viewer.wishes[0].history.failed_upgrades == 0
    viewer.change(0, layers=simulcast())
    assert time_to(viewer, TOP, 2_500_000) == 500_000


def test_a_wish_for_less_is_granted_at_once() -> None:
    viewer = watching(2_500_000)
    viewer.change(0, max_spatial=0)
    assert viewer.decide(2_500_000).targets == [Target(0, 2, 150_000, Reason.MET)]
    assert viewer.wishes[0].history.failed_upgrades == 0


def test_an_upgrade_that_waits_keeps_its_room() -> None:
    wishes = [StreamWish(steps((100_000, 0), (400_000, 4000)), stream_class=StreamClass.SPEAKER)]
    wishes.append(StreamWish((Layer(0, 0, 100_000, utility=0), Layer(0, 1, 350_000, utility=4000))))
    viewer = Viewer(*wishes)
    viewer.run(250_000, 5 * SECOND)
    viewer.run(600_000, 400_000)
    assert viewer.layers == [(0, 0), (0, 0)], "no temporal layer for half a second, to be lost again"
    viewer.run(600_000, 200_000)
    assert viewer.layers == [(1, 0), (0, 0)]


# ---- a link that changes


@pytest.mark.parametrize("seed", range(5))
def test_an_estimate_that_wanders_by_three_percent_switches_nothing(seed: int) -> None:
    rng = random.Random(seed)
    viewer = Viewer(StreamWish(simulcast(), stream_class=StreamClass.SPEAKER), *grid(5))
    viewer.run(4_000_000, 5 * SECOND)
    viewer.run(4_100_000, SECOND)
    viewer.spatial_changes = 0
    for _ in range(600):
        viewer.run(4_100_000 * rng.randint(970, 1000) // 1000, 100_000)
    assert viewer.spatial_changes <= 2


@pytest.mark.parametrize("count", [1, 6, 25])
def test_what_a_changing_link_carries_is_used_with_few_switches(count: int) -> None:
    # 1.0, 2.5, 0.6, 1.0 Mbit/s at 0, 40, 60, 80 s, twice as much as a whole
    viewer = Viewer(*grid(count))
    used = possible = 0
    for budget_bps, seconds in [(2_000_000, 40), (5_000_000, 20), (1_200_000, 20), (2_000_000, 20)]:
        viewer.spatial_changes = 0
        for _ in range(seconds * 10):
            used += viewer.run(budget_bps, 100_000, every_us=100_000).total_bps
            possible += plan(budget_bps, grid(count)).total_bps
        assert viewer.spatial_changes <= 2 * count
    assert used >= 0.85 * possible


def test_each_growth_of_the_budget_is_seen() -> None:
    # not only what ends a congestion: an estimate that creeps up by 2 % a second brings layer after layer
    viewer = watching(500_000)
    seen, budget_bps = [], 500_000
    for _ in range(120):
        viewer.run(budget_bps, SECOND, every_us=100_000)
        budget_bps = budget_bps * 102 // 100
        if viewer.layers[0] not in seen:
            seen.append(viewer.layers[0])
    assert seen == sorted(seen) and seen[-1] == TOP and len(seen) >= 3


# ---- what users give


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"spatial": 4}, "spatial must be 0..3, not 4"),
        ({"temporal": -1}, "temporal must be 0..7"),
        ({"bitrate_bps": 1 << 40}, "bitrate_bps must be"),
        ({"bitrate_bps": -1}, "bitrate_bps must be"),
        ({"height": 65_536}, "height must be"),
        ({"width": -1}, "width must be"),
        ({"fps": -1}, "fps must be"),
        ({"utility": 1 << 20}, "utility must be"),
        ({"key_frame_bytes": -1}, "key_frame_bytes must be"),
    ],
)
def test_a_layer_is_checked(fields: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Layer(**{"spatial": 0, "temporal": 0, "bitrate_bps": 1, **fields})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"weight": 0}, "weight must be 1..1000"),
        ({"weight": 1001}, "weight must be 1..1000"),
        ({"max_spatial": 128}, "max_spatial must be"),
        ({"max_temporal": -1}, "max_temporal must be"),
        ({"min_spatial": -1}, "min_spatial must be"),
        ({"min_temporal": 200}, "min_temporal must be"),
        ({"max_height": -1}, "max_height must be"),
        ({"max_fps": 65_536}, "max_fps must be"),
        ({"stream_class": 5}, "StreamClass"),
        ({"layers": (Layer(0, 0, 1), Layer(0, 0, 2))}, "may come once"),
        ({"layers": (Layer(0, 0, 1), Layer(0, 1, 2, utility=3))}, "or none"),
        ({"layers": (Layer(0, 0, 1),) * 33}, "number of layers must be 0..32"),
    ],
)
def test_a_wish_is_checked(fields: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        StreamWish(**{"layers": (), **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{"spatial": -2}, {"temporal": 8}, {"last_change_us": -2}, {"failed_upgrades": 6}])
def test_a_history_is_checked(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        History(**fields)


def test_numbers_of_a_call_are_checked() -> None:
    with pytest.raises(ValueError, match="budget_bps must be"):
        allocate(-1, [])
    with pytest.raises(ValueError, match="now_us must be"):
        allocate(0, [], -1)
    with pytest.raises(ValueError, match="now_us must be"):
        applied([], [], -1)
    with pytest.raises(ValueError, match="1 streams but 0 targets"):
        applied(grid(1), [], 0)
    with pytest.raises(ValueError, match="number of streams must be"):
        plan(0, grid(1) * 65_536)


def test_values_do_not_change() -> None:
    for value in (Layer(0, 0, 1), StreamWish(()), Target(0, 0, 1, Reason.MET), History(), plan(0, [])):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError, AttributeError)):
            value.bitrate_bps = 5  # type: ignore[union-attr, misc]
