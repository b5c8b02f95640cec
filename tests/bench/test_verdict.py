"""The gate on instructions fails when it must and only then."""

import copy
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "bench"))

import workloads  # noqa: E402
from callgrind import GROUPS, Function  # noqa: E402
from verdict import Failure, Row, difference, judge, reference, renewed  # noqa: E402

RECORDED = json.loads((ROOT / "bench" / "instructions.json").read_text())
KNOWN, *OTHERS = RECORDED["builds"]
HERE = RECORDED["environment"] | {"compiler": KNOWN}
ROW = "forwarded 1 x 100"


def counted(row: str = ROW, group: str = "ours", factor: float = 1.0, plus: float = 0.0) -> dict[str, Row]:
    """The record as if counted anew, one figure changed."""
    rows = {name: Row(dict(groups)) for name, groups in RECORDED["rows"].items()}
    rows[row].groups[group] = max(rows[row].groups[group], 0) * factor + plus
    return rows


def test_the_record_has_every_workload_and_says_what_it_is():
    assert list(RECORDED["rows"]) == list(workloads.ROWS)
    assert all(set(groups) == set(GROUPS) for groups in RECORDED["rows"].values())
    assert all(groups["ours"] > 10 for groups in RECORDED["rows"].values())
    assert "callgrind" in RECORDED["note"] and "GNU C" in KNOWN and "AVX2" in HERE["ipsec-mb"]
    for build in RECORDED["builds"].values():
        assert all(0.5 < factor < 2 for factor in build["factors"].values())


def test_the_record_itself_and_anything_below_it_passes():
    assert judge(counted(), {}, RECORDED, HERE) == []
    assert judge(counted(factor=0.5), {}, RECORDED, HERE) == []


@pytest.mark.parametrize("row", RECORDED["rows"])
@pytest.mark.parametrize("group", GROUPS)
def test_three_percent_more_are_too_many_in_every_figure(row, group):
    if RECORDED["rows"][row][group] > 100:
        assert judge(counted(row, group, 1.02), {}, RECORDED, HERE) == []
        (told,) = judge(counted(row, group, 1.045), {}, RECORDED, HERE)
        assert row in told and group in told
    (told,) = judge(counted(row, group, 1.03, plus=1.5), {}, RECORDED, HERE)
    assert row in told


def test_a_row_more_or_less_is_told():
    rows = counted()
    rows["new"] = rows.pop(ROW)
    told = judge(rows, {}, RECORDED, HERE)
    assert [text.partition(":")[0] for text in told] == ["new", ROW]


def test_what_cannot_be_counted_is_a_fault_where_something_is_to_be_installed():
    rows = counted()
    del rows[ROW]
    assert judge(rows, {ROW: "libIPSec_MB 2.0.0, and only 1.3 is known"}, RECORDED, HERE) == []
    (told,) = judge(rows, {ROW: "there is no libIPSec_MB.so.1"}, RECORDED, HERE)
    assert ROW in told


def test_with_a_compiler_nobody_knows_our_code_is_judged_more_widely_but_judged():
    elsewhere = HERE | {"compiler": "GNU C99 1.0"}
    most = max(build["factors"].get(ROW, 1.0) for build in RECORDED["builds"].values())
    assert judge(counted(factor=most * 1.19), {}, RECORDED, elsewhere) == []
    (told,) = judge(counted(factor=most * 1.21), {}, RECORDED, elsewhere)
    assert ROW in told
    (told,) = judge(counted(group="crypto", factor=1.1), {}, RECORDED, elsewhere)
    assert "crypto" in told, "that has not changed"


@pytest.mark.parametrize("compiler", OTHERS)
def test_with_a_compiler_that_is_known_its_factors_count(compiler):
    factors = RECORDED["builds"][compiler]["factors"]
    rows = counted()
    for name, row in rows.items():
        row.groups["ours"] *= factors[name]
    assert judge(rows, {}, RECORDED, HERE | {"compiler": compiler}) == []
    rows[ROW].groups["ours"] *= 1.04
    assert len(judge(rows, {}, RECORDED, HERE | {"compiler": compiler})) == 1


@pytest.mark.parametrize(
    ("key", "unjudged"),
    [
        ("libc", {"libc"}),
        ("ipsec-mb", {"crypto"}),
        ("libsrtp", {"crypto"}),
        ("python", {"python"}),
        ("numpy", {"python"}),
        ("compiler", {"libc", "python"}),
        ("processor", {"libc", "crypto"}),
        ("valgrind", {"libc", "crypto", "python"}),
        ("machine", {"libc", "crypto", "python"}),
    ],
)
def test_what_others_made_is_judged_only_where_it_is_the_same(key, unjudged):
    for group in GROUPS:
        told = judge(counted(group=group, factor=3, plus=10), {}, RECORDED, HERE | {key: "another"})
        assert bool(told) == (group not in unjudged), group


def test_a_new_record_keeps_what_is_known_of_other_compilers():
    rows = counted(factor=1.2)
    anew = renewed(rows, RECORDED, HERE)
    assert anew["builds"] == RECORDED["builds"]
    assert judge(rows, {}, anew, HERE) == []
    fresh = renewed(rows, None, HERE)
    assert judge(rows, {}, fresh, HERE) == [] and reference(fresh) == KNOWN


def test_another_compilers_counts_become_its_factors():
    before = copy.deepcopy(RECORDED)
    other = HERE | {"compiler": "GNU C99 1.0"}
    anew = renewed(counted(factor=1.3), RECORDED, other)
    assert before == RECORDED and anew["rows"] == RECORDED["rows"]
    assert anew["builds"]["GNU C99 1.0"]["factors"][ROW] == pytest.approx(1.3, abs=1e-3)
    assert judge(counted(factor=1.3), {}, anew, other) == []
    with pytest.raises(Failure, match="new"):
        renewed(counted() | {"new": Row({})}, RECORDED, other)


def test_the_difference_of_two_counts_is_what_a_packet_costs():
    ours = Function("/x/mediarouter/_a.so", "f")
    libc = Function("/lib/libc.so.6", "memcpy")
    loop = Function("/x/mediarouter/bench/_replay.so", "play")
    row = difference(Counter({ours: 1100}), Counter({ours: 3100, libc: 500, loop: 9}), [10, 30])
    assert row.groups == {"ours": 100, "libc": 25, "crypto": 0, "python": 0}
    assert row.functions[ours] == 100
    for packets in ([10, 10], [0, 10], [30, 10]):
        with pytest.raises(Failure):
            difference(Counter(), Counter(), packets)
