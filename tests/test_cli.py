"""The command line, as a process."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import psutil
import pytest

from mediarouter import __version__

ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "MEDIAROUTER_TOKEN"}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mediarouter.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env=ENVIRONMENT | environment,
    )


def test_version_and_help():
    assert run("--version").stdout == f"{__version__}\n"
    shown = run("serve", "--help", COLUMNS="200")
    assert shown.returncode == 0 and "--listen" in shown.stdout and "MEDIAROUTER_TOKEN" in shown.stdout


def test_serve_prints_where_it_is_and_ends_when_asked():
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "mediarouter.cli", "serve", "--port", "0", "--token", "secret"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        assert process.stdout
        page = re.fullmatch(r"meeting page: (http://127\.0\.0\.1:\d+/)\n", process.stdout.readline())
        assert page
        assert re.fullmatch(r"media: 127\.0\.0\.1 port \d+ \(UDP and TCP\)\n", process.stdout.readline())
        with urllib.request.urlopen(page[1], timeout=10) as response:
            assert b"Join a meeting" in response.read()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=15) == ("", "") and process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_workers_have_ports_of_their_own():
    command = [sys.executable, "-u", "-m", "mediarouter.cli", "serve", "--port", "0", "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    try:
        assert process.stdout
        page = process.stdout.readline().removeprefix("meeting page: ").strip()
        ports = re.findall(r"127\.0\.0\.1 port (\d+)", process.stdout.readline())
        assert len(set(ports)) == 2
        with urllib.request.urlopen(page + "metrics", timeout=10) as response:
            metrics = response.read().decode()
        assert all(f'mediarouter_worker_busy{{port="{port}"}}' in metrics for port in ports)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=15) == ("", "") and process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--listen", "nonsense"], "'nonsense' is not an IP address and a port"),
        (["--listen", "[bad]:1"], "'[bad]:1' is not an IP address and a port"),
        (["--listen", "127.0.0.1:70000"], "is not an IP address and a port"),
        (["--listen", "192.0.2.1:0"], "media cannot be received on 192.0.2.1:0"),
        (["--announce", "nonsense"], "'nonsense'"),
        (["--listen", "127.0.0.1:65535", "--workers", "2"], "there is no port 65536"),
        (["--host", "192.0.2.1"], "the web server cannot listen on 192.0.2.1 port 0"),
        (["--token", ""], "the token is empty"),
    ],
)
def test_what_cannot_start_says_why_in_a_line(arguments, says):
    done = run("serve", "--port", "0", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("cannot start: ") and says in done.stderr and done.stderr.count("\n") == 1


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert done.returncode == 1 and done.stdout == ""
    assert (
        done.stderr == f"cannot start: the web server cannot listen on 127.0.0.1 port {port}: Address already in use\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
        done = run("serve", "--port", "0", "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 1 and f"127.0.0.1:{port}: Address already in use" in done.stderr


def test_a_number_out_of_range_is_a_usage_error():
    done = run("serve", "--port", "70000")
    assert done.returncode == 2 and "65535" in done.stderr
    done = run("serve", "--workers", "0")
    assert done.returncode == 2 and "--workers" in done.stderr


@pytest.mark.parametrize("missing", ["typer", "uvicorn", "starlette", "prometheus_client"])
def test_a_missing_extra_is_named(missing):
    code = f"import sys; sys.modules[{missing!r}] = None; import mediarouter.cli"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, env=ENVIRONMENT)
    assert done.returncode == 1
    assert "pip install 'mediarouter[web]'" in done.stderr and missing in done.stderr and "Traceback" not in done.stderr


@pytest.mark.e2e
def test_bench_fanout_prints_json_for_programs_and_a_table_and_a_picture_for_people(tmp_path):
    small = ("--subscribers", "3", "--rounds", "1", "--seconds", "0.5")
    figures = json.loads(run("bench", "fanout", *small, "--json").stdout)
    assert {
        "cpu_ns_per_packet",
        "floor_ns_per_packet",
        "ratio",
        "user_ns_per_packet",
        "packets",
        "subscribers",
        "mean_burst",
        "profile",
    } <= set(figures)
    assert figures["subscribers"] == 3 and figures["lost"] == figures["damaged"] == 0
    picture = tmp_path / "figures.png"
    shown = run("bench", "fanout", *small, "--profile", "AES128_CM_SHA1_80", "--plot", str(picture)).stdout
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "cpu_ns_per_packet" in shown and "AES128_CM_SHA1_80" in shown


@pytest.mark.parametrize("arguments", [("--kind", "smell"), ("--profile", "ROT13"), ("--subscribers", "0")])
def test_bench_refuses_what_cannot_be_measured(arguments):
    done = run("bench", "fanout", *arguments)
    assert done.returncode == 2 and done.stderr and "Traceback" not in done.stderr


@pytest.mark.e2e
@pytest.mark.parametrize("count", [1, 2], ids=["as the router starts", "as the floor starts"])
def test_bench_ends_at_ctrl_c_with_all_its_processes(count):
    process = subprocess.Popen(
        [sys.executable, "-m", "mediarouter.cli", "bench", "fanout", "--subscribers", "2", "--seconds", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        children: list[psutil.Process] = []
        while len(children) < count and process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=15) == ("", "") and process.returncode == 130
        assert len(children) == count and psutil.wait_procs(children, timeout=10)[1] == []
    finally:
        process.kill()
        process.communicate()
