"""Tables for people, JSON for programs, and a progress bar for nobody but a terminal."""

import json

import pytest

from mediarouter.bench import display

FIGURES = {"share": 0.5, "us": {"p50": 1, "p99": 2}, "points": [{"count": 1, "fault": ""}, {"count": 2, "fault": "x"}]}


def test_programs_get_one_line_of_json(capsys):
    display.show("title", FIGURES, as_json=True)
    out = capsys.readouterr().out
    assert json.loads(out) == FIGURES and out.count("\n") == 1


def test_people_get_tables_and_rows_have_one_of_their_own(capsys):
    display.show("a title", FIGURES, as_json=False)
    out = capsys.readouterr().out
    assert "a title" in out and "p50 1, p99 2" in out and "0.5" in out
    rows = out[out.index("points") :]
    assert "count" in rows and "fault" in rows and " x " in rows


def test_without_a_terminal_there_is_no_bar(capsys):
    with display.progress_bar("title") as tell:
        tell("half of it", 0.5)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize("value", [[], [1, 2], [[1, 2]], {}, "text", 3])
def test_what_is_no_rows_stays_in_the_table(value, capsys):
    display.show("title", {"name": value}, as_json=False)
    assert capsys.readouterr().out.count("name") == 1
