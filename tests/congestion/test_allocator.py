"""The allocator against its rules: properties over random streams, and the best there is, found by trying all."""

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion.allocation import (
    Layer,
    Reason,
    StreamClass,
    StreamWish,
    Target,
    allocate,
    face_of,
    plan,
)
from tests.congestion.offers import Viewer, shown, simulcast, single, steps, worth


@st.composite
def tables(draw: st.DrawFn, layers_max: int = 9, rate_max: int = 3000) -> tuple[Layer, ...]:
    names = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=layers_max, unique=True))
    return tuple(
        Layer(
            s, t, draw(st.integers(0, rate_max)), utility=draw(st.integers(0, 5000)), key_frame_bytes=draw(KEY_FRAMES)
        )
        for s, t in names
    )


@st.composite
def regular_tables(draw: st.DrawFn) -> tuple[Layer, ...]:
    """More layers are worth more; what they cost is as it comes, since it is measured."""
    wild = draw(tables())
    utilities = iter(sorted(draw(st.lists(st.integers(0, 5000), min_size=9, max_size=9, unique=True))))
    ordered = sorted(wild, key=lambda layer: (layer.spatial, layer.temporal))
    return tuple(dataclasses.replace(layer, utility=next(utilities)) for layer in ordered)


KEY_FRAMES = st.sampled_from([0, 0, 10])
WISHES = st.builds(
    StreamWish,
    tables(),
    stream_class=st.sampled_from(StreamClass),
    weight=st.sampled_from([1, 100, 100, 100, 1000]),
    max_spatial=st.sampled_from([127, 127, 0, 1]),
    max_temporal=st.sampled_from([127, 127, 0, 1]),
    min_spatial=st.sampled_from([0, 0, 1]),
    must_send=st.sampled_from([False, False, False, True]),
    muted=st.sampled_from([False, False, False, True]),
    proven=st.booleans(),
)
STREAMS = st.lists(WISHES, max_size=8)
REGULAR = st.lists(
    st.builds(lambda wish, layers: dataclasses.replace(wish, layers=layers), WISHES, regular_tables()), max_size=6
)
BUDGETS = st.integers(0, 20_000)
# what happened to a viewer before: (budget, microseconds under it)
PASTS = st.lists(st.tuples(BUDGETS, st.sampled_from([0, 200_000, 600_000, 3_000_000])), max_size=6)


def with_past(streams: list[StreamWish], past: list[tuple[int, int]]) -> Viewer:
    viewer = Viewer(*streams)
    for budget_bps, for_us in past:
        viewer.run(budget_bps, for_us, every_us=200_000)
    return viewer


def in_table(wish: StreamWish, target: Target) -> bool:
    return (target.spatial, target.temporal, target.bitrate_bps) in {
        (layer.spatial, layer.temporal, layer.bitrate_bps) for layer in wish.layers if layer.bitrate_bps
    }


@settings(deadline=None)
@given(STREAMS, PASTS, BUDGETS)
def test_the_sum_is_within_the_budget_unless_a_stream_must_be_sent(
    streams: list[StreamWish], past: list[tuple[int, int]], budget_bps: int
) -> None:
    viewer = with_past(streams, past)
    allocation = plan(budget_bps, viewer.wishes, viewer.now_us)
    assert allocation.total_bps == sum(target.bitrate_bps for target in allocation.targets)
    forced = [w.must_send and t.bitrate_bps for w, t in zip(streams, allocation.targets, strict=True)]
    assert allocation.total_bps <= max(budget_bps, sum(forced))
    if allocation.total_bps > budget_bps:
        assert any(target.reason is Reason.OVERSEND for target in allocation.targets)
        assert all(t.paused for w, t in zip(streams, allocation.targets, strict=True) if not w.must_send)


@settings(deadline=None)
@given(STREAMS, PASTS, BUDGETS)
def test_each_target_is_a_layer_of_its_stream_and_has_its_reason(
    streams: list[StreamWish], past: list[tuple[int, int]], budget_bps: int
) -> None:
    viewer = with_past(streams, past)
    allocation = plan(budget_bps, viewer.wishes, viewer.now_us)
    wanted_bps, met = 0, True
    for wish, target in zip(viewer.wishes, allocation.targets, strict=True):
        (alone,) = allocate(1 << 50, [dataclasses.replace(wish, history=type(wish.history)())])
        wanted_bps += alone.bitrate_bps
        assert target.paused == (target.temporal < 0) == (target.bitrate_bps == 0)
        assert target.paused or in_table(wish, target)
        if wish.muted:
            assert target.reason is Reason.MUTED and target.paused
        elif not any(layer.bitrate_bps for layer in wish.layers):
            assert target.reason is Reason.NO_LAYER and target.paused
        else:
            assert not (wish.must_send and target.paused)
            full = worth(wish, target) == worth(wish, alone) and not target.paused
            assert full == (target.reason is Reason.MET) or target.reason is Reason.OVERSEND
            met = met and full
    assert allocation.wanted_bps == wanted_bps
    assert (allocation.next_demand_bps == 0) == met


@settings(deadline=None)
@given(REGULAR, PASTS, BUDGETS)
def test_it_is_pure_and_idempotent(streams: list[StreamWish], past: list[tuple[int, int]], budget_bps: int) -> None:
    viewer = with_past(streams, past)
    first = plan(budget_bps, viewer.wishes, viewer.now_us)
    assert plan(budget_bps, viewer.wishes, viewer.now_us) == first
    viewer.decide(budget_bps)
    assert shown(viewer.decide(budget_bps).targets) == shown(first.targets), "what was applied is chosen again"


@settings(deadline=None)
@given(REGULAR, PASTS, BUDGETS, st.integers(0, 100))
def test_nothing_changes_while_the_budget_stays_above_what_is_in_use(
    streams: list[StreamWish], past: list[tuple[int, int]], budget_bps: int, percent: int
) -> None:
    viewer = with_past(streams, past)
    settled = viewer.run(budget_bps, 15_000_000, every_us=250_000)
    slack_bps = max(budget_bps - settled.total_bps, 0)
    dipped = plan(budget_bps - slack_bps * percent // 100, viewer.wishes, viewer.now_us)
    assert shown(dipped.targets) == shown(settled.targets)


@settings(deadline=None)
@given(tables(), PASTS, BUDGETS, st.integers(970, 1000))
def test_a_step_up_is_not_undone_by_a_dip_of_three_percent(
    layers: tuple[Layer, ...], past: list[tuple[int, int]], budget_bps: int, thousandths: int
) -> None:
    viewer = with_past([StreamWish(layers)], past)
    (wish,) = viewer.wishes
    if wish.history.last_change_us < 0:
        return  # its first layer knows no margin
    before_bps = sum(layer.bitrate_bps for layer in layers if (layer.spatial, layer.temporal) == shown_history(wish))
    allocation = viewer.decide(budget_bps)
    if allocation.total_bps > before_bps:
        dipped = plan(-(-budget_bps * thousandths // 1000), viewer.wishes, viewer.now_us)
        assert dipped.targets[0].bitrate_bps == allocation.total_bps


def shown_history(wish: StreamWish) -> tuple[int, int]:
    return wish.history.spatial, wish.history.temporal


def measure(streams: list[StreamWish], targets: list[Target]) -> list[int]:
    """What one allocation is worth, the most important first: who was started, by rank, then utility class by class."""
    order = sorted(
        (i for i, wish in enumerate(streams) if any(layer.bitrate_bps for layer in wish.layers)),
        key=lambda i: (
            not streams[i].must_send,
            streams[i].stream_class,
            -streams[i].weight,
            min(layer.bitrate_bps for layer in streams[i].layers if layer.bitrate_bps),
        ),
    )
    started = [int(not targets[i].paused) for i in order]
    utilities = [
        sum(worth(wish, target) for wish, target in zip(streams, targets, strict=True) if wish.stream_class == kind)
        for kind in StreamClass
    ]
    return started + utilities


PLAIN = st.builds(
    StreamWish,
    tables(),
    stream_class=st.sampled_from(StreamClass),
    weight=st.sampled_from([1, 100, 1000]),
    must_send=st.sampled_from([False, False, True]),
)


@settings(deadline=None)
@given(st.lists(PLAIN, max_size=8), BUDGETS, BUDGETS)
def test_more_budget_shows_first_where_the_order_comes_first(
    streams: list[StreamWish], budget_bps: int, more_bps: int
) -> None:
    little = measure(streams, allocate(budget_bps, streams))
    assert measure(streams, allocate(budget_bps + more_bps, streams)) >= little


@settings(deadline=None)
@given(STREAMS, BUDGETS, st.randoms(use_true_random=False))
def test_the_order_of_streams_decides_between_equals_alone(
    streams: list[StreamWish], budget_bps: int, random: object
) -> None:
    # weights that differ make all unequal
    streams = [dataclasses.replace(wish, weight=8 * (wish.weight % 100) + i + 1) for i, wish in enumerate(streams)]
    assert len({wish.weight for wish in streams}) == len(streams)
    order = list(range(len(streams)))
    random.shuffle(order)  # type: ignore[attr-defined]
    straight, mixed = plan(budget_bps, streams), plan(budget_bps, [streams[i] for i in order])
    assert mixed.total_bps == straight.total_bps and mixed.next_demand_bps == straight.next_demand_bps
    assert mixed.targets == [straight.targets[i] for i in order]


@settings(deadline=None)
@given(tables(), st.lists(st.sampled_from(StreamClass), min_size=1, max_size=8), BUDGETS)
def test_a_higher_class_never_has_less_of_the_same_layers(
    layers: tuple[Layer, ...], classes: list[StreamClass], budget_bps: int
) -> None:
    streams = [StreamWish(layers, stream_class=kind) for kind in classes]
    targets = allocate(budget_bps, streams)
    ranked = sorted(zip(classes, streams, targets, strict=True), key=lambda row: row[0])
    for (above, wish, higher), (below, _, lower) in itertools.pairwise(ranked):
        assert above == below or lower.paused or worth(wish, higher) >= worth(wish, lower)


@settings(deadline=None)
@given(tables(), st.lists(st.sampled_from([1, 10, 100, 1000]), min_size=1, max_size=6), BUDGETS)
def test_a_higher_weight_is_started_first(layers: tuple[Layer, ...], weights: list[int], budget_bps: int) -> None:
    targets = allocate(budget_bps, [StreamWish(layers, weight=weight) for weight in weights])
    ranked = sorted(zip(weights, targets, strict=True), key=lambda row: -row[0])
    for (above, higher), (below, lower) in itertools.pairwise(ranked):
        assert above == below or lower.paused or not higher.paused


def best_by_trying(streams: list[StreamWish], budget_bps: int) -> int:
    """The most that streams of one class can be worth when all of them run: every combination is tried."""
    choices = [
        [
            (layer.bitrate_bps, worth(wish, Target(layer.spatial, layer.temporal, layer.bitrate_bps, Reason.MET)))
            for layer in wish.layers
        ]
        for wish in streams
    ]
    return max(
        sum(value for _, value in combination)
        for combination in itertools.product(*choices)
        if sum(rate for rate, _ in combination) <= budget_bps
    )


SMALL = st.lists(
    st.builds(
        StreamWish,
        tables(layers_max=5, rate_max=60).filter(lambda layers: any(layer.bitrate_bps for layer in layers)),
        weight=st.sampled_from([1, 2, 5]),
    ).map(lambda wish: dataclasses.replace(wish, layers=tuple(row for row in wish.layers if row.bitrate_bps))),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(SMALL, st.integers(0, 200))
def test_a_class_gets_the_best_there_is_up_to_one_step(streams: list[StreamWish], extra_bps: int) -> None:
    lowest = [min(layer.bitrate_bps for layer in wish.layers) for wish in streams]
    budget_bps = sum(lowest) + extra_bps  # all run, and share the rest
    targets = allocate(budget_bps, streams)
    assert not any(target.paused for target in targets)
    ours = sum(worth(wish, target) for wish, target in zip(streams, targets, strict=True))
    best = best_by_trying(streams, budget_bps)
    largest_step = max(
        worth(wish, Target(row.spatial, row.temporal, row.bitrate_bps, Reason.MET))
        for wish in streams
        for row in wish.layers
    )
    assert best - largest_step <= ours <= best


@settings(deadline=None)
@given(SMALL, st.integers(0, 200))
def test_all_that_fits_is_used(streams: list[StreamWish], budget_bps: int) -> None:
    targets = allocate(budget_bps, streams)
    left_bps = budget_bps - sum(target.bitrate_bps for target in targets)
    for wish, target in zip(streams, targets, strict=True):
        for row in wish.layers:
            better = Target(row.spatial, row.temporal, row.bitrate_bps, Reason.MET)
            if target.paused:
                assert row.bitrate_bps > left_bps
            elif worth(wish, better) > worth(wish, target):
                assert row.bitrate_bps - target.bitrate_bps > left_bps


@settings(deadline=None)
@given(STREAMS, PASTS, BUDGETS)
def test_the_demand_is_what_a_next_step_needs(
    streams: list[StreamWish], past: list[tuple[int, int]], budget_bps: int
) -> None:
    # without must_send, whose streams are beyond any budget
    viewer = with_past([dataclasses.replace(s, must_send=False, proven=True) for s in streams], past)
    allocation = viewer.run(budget_bps, 15_000_000, every_us=250_000)
    demand_bps = allocation.next_demand_bps
    for _ in streams:
        if demand_bps <= budget_bps:
            break
        # a step that comes earlier may fit by now, but with too little margin: then it says what it needs
        more = plan(demand_bps, viewer.wishes, viewer.now_us)
        if shown(more.targets) != shown(allocation.targets):
            break
        if any(target.reason is Reason.BACK_OFF for target in more.targets):
            break
        assert more.next_demand_bps > demand_bps
        demand_bps = more.next_demand_bps


def test_the_demand_is_the_rate_in_use_and_a_margin_on_the_step() -> None:
    streams = [StreamWish(steps((100_000, 1000), (300_000, 2000)))]
    assert plan(0, streams).next_demand_bps == 115_000
    assert plan(150_000, streams).next_demand_bps == 100_000 + 230_000
    assert plan(300_000, streams).next_demand_bps == 0
    # where many streams run, the budget's margin is more than the step's
    streams = [StreamWish(single(2_000_000)), *streams]
    assert plan(2_100_000, streams).next_demand_bps == -(-2_300_000 * 32 // 31)
    keyed = [dataclasses.replace(layer, key_frame_bytes=10_000) for layer in streams[1].layers]
    assert plan(150_000, [StreamWish(tuple(keyed))]).next_demand_bps == 100_000 + 220_000 + 80_000


def test_zero_streams_and_many() -> None:
    assert plan(1_000_000, []).targets == []
    streams = [StreamWish(simulcast()) for _ in range(300)]
    allocation = plan(30_000_000, streams)
    assert 29_500_000 < allocation.total_bps <= 30_000_000
    few = plan(6_400_000, streams[:64])
    assert few.total_bps == plan(6_400_000, [*streams[:64], StreamWish(())]).total_bps, (
        "the stack, and more than it holds"
    )


def test_streams_take_few_bytes() -> None:
    stream, layer, stack = face_of([]).row_sizes
    assert (stream, layer) <= (96, 32) and stack <= 8192


@pytest.mark.parametrize("weights", [(100, 100), (100, 200)])
def test_weights_turn_the_order_of_steps(weights: tuple[int, int]) -> None:
    layers = steps((100, 1000), (200, 2000)), steps((100, 1000), (200, 2500))
    streams = [StreamWish(table, weight=weight) for table, weight in zip(layers, reversed(weights), strict=True)]
    first = shown(allocate(300, streams))
    assert first == ([(0, 0), (1, 0)] if weights == (100, 100) else [(1, 0), (0, 0)])
