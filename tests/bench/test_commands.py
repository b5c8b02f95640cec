"""The commands of the benchmarks: what they refuse, what they all have."""

import pytest
from typer.testing import CliRunner, Result

from mediarouter.bench import commands


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands.app, list(arguments), env={"COLUMNS": "200"})


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["capacity", "--of", "chairs"], 2, "no number of chairs"),
        (["capacity", "--kind", "smell"], 2, "no kind of traffic: smell"),
        (["floor", "--profile", "ROT13"], 2, "no profile ROT13"),
        (["latency", "--load", "2"], 2, "--load"),
        (["handshake", "--rate", "0"], 2, "--rate"),
        (["memory", "--transports", "10", "--consumers", "10000"], 1, "10000 consumers need 100 transports"),
    ],
)
def test_each_benchmark_says_what_it_cannot_measure(arguments, code, says):
    done = run(*arguments)
    assert done.exit_code == code and says in done.stderr


@pytest.mark.parametrize("name", ["fanout", "floor", "latency", "memory", "handshake", "capacity"])
def test_each_benchmark_prints_json_and_draws(name):
    shown = run(name, "--help").stdout
    assert "--json" in shown and "--plot" in shown


def test_a_picture_that_cannot_be_drawn_is_told_before_the_run(tmp_path):
    done = run("fanout", "--plot", str(tmp_path / "figures.exe"))
    assert done.exit_code == 1 and ".exe is no format of pictures" in done.stderr and done.stdout == ""


def test_all_of_them_are_there():
    names = {command.name for command in commands.app.registered_commands}
    assert names == {
        "fanout", "floor", "latency", "memory", "handshake", "capacity", "peers", "hostile", "soak", "congestion"
    }  # fmt: skip


def test_what_ends_by_ctrl_c_says_nothing():
    def interrupted(tell):
        raise KeyboardInterrupt

    with pytest.raises(commands.typer.Exit) as ended:
        commands.run("title", interrupted, lambda axes, figures: None, json=True, plot=None)
    assert ended.value.exit_code == 130


@pytest.mark.parametrize("error", [OSError("no socket"), ValueError("no value"), RuntimeError("the router ended")])
def test_what_fails_on_the_way_is_told_in_a_line(error, capsys):
    def failing(tell):
        raise error

    with pytest.raises(commands.typer.Exit) as ended:
        commands.run("title", failing, lambda axes, figures: None, json=True, plot=None)
    captured = capsys.readouterr()
    assert ended.value.exit_code == 1 and captured.err == f"cannot measure: {error}\n" and captured.out == ""
