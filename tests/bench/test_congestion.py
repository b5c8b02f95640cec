"""The score of an estimator, as a table, as JSON, as pictures."""

import json
from typing import get_args

import pytest
from typer.testing import CliRunner, Result

from mediarouter.bench import commands
from mediarouter.bench.congestion import judge, summary
from mediarouter.testing.sim.allocation import layer_major
from mediarouter.testing.sim.allocators import known_allocators
from mediarouter.testing.sim.estimator import FixedRate, known_estimators
from mediarouter.testing.sim.receiver import Feedback
from mediarouter.testing.sim.scenarios import SCENARIOS, select


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands.app, ["congestion", *arguments], env={"COLUMNS": "200"})


def test_json_tells_each_figure_beside_reference_and_goal():
    done = run("--scenario", "A1", "--scenario", "A10", "--seeds", "2", "--estimator", "fixed", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["estimator"], told["seeds"]) == ("fixed", 2)
    expected = [(one, check.name) for one in ("A1", "A10") for check in SCENARIOS[one].checks]
    assert [(row["id"], row["figure"]) for row in told["figures"]] == expected
    first = told["figures"][0]
    assert (first["median"], first["reference"], first["goal"]) == ("300k", "350k to 550k", "450k to 500k")
    assert first["verdict"] == "missed" and sum(told["verdicts"].values()) == len(expected)


def test_a_table_and_pictures(tmp_path):
    done = run("--scenario", "A9", "--seeds", "1", "--estimator", "loss-aimd", "--plot", str(tmp_path / "pictures"))
    assert done.exit_code == 0, done.stderr
    assert "A9-ahead" in done.stdout and "until 500 kbit/s, s" in done.stdout
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["A9-ahead.png", "A9-behind.png", "A9.png"]


def test_receivers_can_give_the_feedback_of_rfc_8888():
    make, allocate = known_estimators()["send-side"], known_allocators()["ours"]
    rows = {feedback: judge(select(["A9"]), make, allocate, 1, feedback=feedback) for feedback in get_args(Feedback)}
    medians = {feedback: [row["median"] for row in those] for feedback, those in rows.items()}
    assert medians["twcc"] != medians["ccfb"], "it is another clock that tells the times"
    assert all(0.3 < float(median) < 0.7 for those in medians.values() for median in those)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scenario", "B1"], "no scenario B1"),
        (["--estimator", "oracle"], "nothing is called oracle: "),
        (["--allocator", "oracle"], "nothing is called oracle: "),
        (["--feedback", "smoke"], "nothing is called smoke: twcc, ccfb"),
        (["--seeds", "0"], "--seeds"),
    ],
)
def test_what_is_not_there_is_told(arguments, says):
    done = run(*arguments)
    assert done.exit_code == 2 and says in done.stderr and done.stdout == ""


def test_a_folder_that_cannot_be_made_is_told_before_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("--scenario", "A1", "--plot", str(tmp_path / "file" / "pictures"))
    assert done.exit_code == 1 and "cannot draw" in done.stderr


def test_progress_is_told_and_verdicts_are_counted():
    told = []
    rows = judge(
        select(["A1", "A4"]),
        lambda *_: FixedRate(470_000),
        lambda: layer_major,
        1,
        tell=lambda what, share: told.append((what, share)),
    )
    assert told == [("A1", 0), ("A4", 0.5)]
    assert summary(rows, "fixed", "layer-major", 1)["verdicts"] == {"goal": 5, "reference": 0, "missed": 1}
