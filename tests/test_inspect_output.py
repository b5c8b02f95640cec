"""`mediarouter inspect`: tables, JSON, a picture, and what it says when something is missing."""

import json
import sys

import pytest
from typer.testing import CliRunner

from mediarouter import capture, cli, inspect_output
from mediarouter.inspect import inspect_capture
from tests.rtp_vectors import VECTORS
from tests.test_inspect import DESCRIPTION, described, known_call

VP9 = VECTORS / "rtp_chromium_vp9svc.pcap"
ANSWER = VECTORS / "answers" / "rtp_chromium_vp9svc.txt"


def run(*arguments):
    return CliRunner(env={"COLUMNS": "160"}).invoke(cli.app, ["inspect", *map(str, arguments)])


def test_tables():
    done = run(VP9, "--sdp", ANSWER)
    assert done.exit_code == 0
    assert "e73efacb" in done.output and "VP9 (98)" in done.output and "RTX of e73efacb" in done.output
    assert "e73efacb S2 T2" in done.output and "guessed" not in done.output


def test_guesses_are_told():
    done = run(VP9)
    assert done.exit_code == 0
    assert "guessed: header extension 4 is mid" in done.output


def test_json_is_the_report():
    done = run(VP9, "--sdp", ANSWER, "--json")
    report = inspect_capture(capture.read(VP9), described(VP9))
    told = json.loads(done.output)
    assert [s["ssrc"] for s in told["streams"]] == [s.ssrc for s in report.streams]
    assert told["streams"][0]["jitter_ms"] == report.streams[0].jitter_ms
    assert told["counts"]["datagrams"] == report.counts.datagrams


def test_feedback_is_told(tmp_path):
    path = tmp_path / "call.pcap"
    path.write_bytes(known_call())
    report = inspect_capture(capture.read(path), DESCRIPTION)
    told = json.loads(inspect_output.to_json(report))["feedback"]
    assert told[0]["lost"] == 3 and "delays_us" not in told[0]
    with cli.console.capture() as shown:
        inspect_output.show(report, cli.console)
    assert "feedback on 192.0.2.1:5000: 97 received, 3 lost" in shown.get()


@pytest.mark.parametrize("suffix, magic", [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_plot(tmp_path, suffix, magic):
    report = inspect_capture(capture.parse(known_call()), DESCRIPTION)
    inspect_output.plot(report, tmp_path / f"out.{suffix}")
    assert (tmp_path / f"out.{suffix}").read_bytes().startswith(magic)
    assert run(VP9, "--plot", tmp_path / "two.png").exit_code == 0
    assert (tmp_path / "two.png").exists()


def test_plot_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run(VP9, "--plot", tmp_path / "x.png")
    assert done.exit_code == 1
    assert "pip install 'mediarouter[bench]'" in done.output


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "x.pcap").write_bytes(b"GIF89a")
    for arguments, why in (
        ([tmp_path / "x.pcap"], "neither a pcap nor a pcapng"),
        ([tmp_path / "none.pcap"], "No such file"),
        ([VP9, "--sdp", tmp_path / "x.pcap"], "SDP line 1"),
        ([VP9, "--plot", tmp_path / "x.nonsense"], "nonsense"),
    ):
        done = run(*arguments)
        assert done.exit_code == 1 and why in done.output
