"""The rules of the house, held by machine: layers, sizes, cycles, contracts of hot functions, mirrors."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "mediarouter"
SOURCES = sorted(p for p in PACKAGE.rglob("*") if p.suffix in (".py", ".pyx", ".pxd") and "static" not in p.parts)

# The layer of each module, by its path without suffix; a folder stands for what is in it.
LAYERS = {
    0: ["errors", "parameters", "_drop", "_balance", "_address", "events"],
    1: [
        "_rtp",
        "_rtp_batch",
        "_rtp_build",
        "_rtp_numbers",
        "rtp",
        "header_extensions",
        "capture",
        "_capture",
        "_rtcp",
        "_rtcp_bitrates",
        "_congestion_feedback",
        "_rtcp_ccfb",
        "_rtcp_feedback",
        "_rtcp_packet",
        "_rtcp_parse",
        "_rtcp_reports",
        "_rtcp_sources",
        "_rtcp_xr",
        "rtcp",
        "rtcp_rows",
        "rtcp_xr_blocks",
        "_transport_feedback",
        "_srtp",
        "_srtp_backend",
        "_srtp_fanout",
        "_srtp_ipsecmb",
        "_srtp_crypto",
        "_srtp_headers",
        "_srtp_libsrtp",
        "_srtp_libsrtp_mask",
        "_srtp_policy",
        "_srtp_streams",
        "srtp",
        "sdes",
        "_sha1",
        "_stun",
        "codecs",
        "_lookup",
        "_events",
        "_ring",
        "sdp",
    ],
    2: ["_pipe", "_recv_stream", "_send_stream", "_cache", "_layers", "_timers", "_ice", "_pace_queue", "congestion"],
    3: [
        "_plane",
        "_egress",
        "_gather",
        "_key_frames",
        "_forward",
        "_pace",
        "_downlink",
        "_layer_rates",
        "_uplink_limit",
        "_wanted",
        "_feedback",
        "_reports",
        "_ingress",
        "_pipe_in",
        "_pipe_out",
        "consumer",
        "producer",
        "ortc",
        "router",
        "spanning",
        "transports",
    ],
    4: [
        "_messages",
        "_backlog",
        "_load_meter",
        "_udp_queues",
        "_udp",
        "_tcp",
        "_loop",
        "_engine",
        "_downlink_commands",
        "_ccfb_commands",
        "_pipe_commands",
        "_uplink_commands",
        "net",
    ],
    5: ["web", "cli", "bench", "testing", "inspect", "inspect_feedback", "inspect_output", "__init__"],
}
# Nouns command the engine, which lives above them; tests give them another one. The names alone are imported.
UPWARD = {
    ("consumer", "_engine"),
    ("producer", "_engine"),
    ("transports", "_engine"),
    ("transports", "_pipe_commands"),
    ("transports", "_downlink_commands"),
    ("transports", "_ccfb_commands"),
    ("consumer", "_downlink_commands"),
    ("producer", "_uplink_commands"),
    ("transports", "_uplink_commands"),
}
WORLDLY = {"asyncio", "socket", "ssl", "time", "random", "threading", "select", "selectors", "secrets"}
# parse_address in the engine turns text into bytes; no socket is made
WORLDLY_ALLOWED: set[tuple[str, str]] = set()
LARGE = {"_engine": "one command a method, each with its docstring; nothing in it is shared by two"}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def key_of(module: str) -> str:
    return module.partition(".")[0]


def layer_of(module: str) -> int:
    for layer, names in LAYERS.items():
        if key_of(module) in names:
            return layer
    raise AssertionError(f"{module} has no layer: add it to LAYERS in {Path(__file__).name}")


def imports_of(path: Path) -> set[str]:
    """Modules imported or cimported at run time."""
    text = path.read_text()
    if path.suffix == ".py":
        tree = ast.parse(text)
        found = set()
        skip = {
            id(n)
            for b in ast.walk(tree)
            if isinstance(b, ast.If) and "TYPE_CHECKING" in ast.dump(b.test)
            for s in b.body
            for n in ast.walk(s)
        }
        for node in ast.walk(tree):
            if id(node) in skip:
                continue
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
                if node.module == "mediarouter":
                    found |= {f"mediarouter.{alias.name}" for alias in node.names}
        return found
    found = set()
    for match in re.finditer(r"^(?:from (\S+) c?import (\w*)|c?import (\S+))", text, re.MULTILINE):
        found.add(match[1] or match[3])
        if match[1] == "mediarouter":
            found.add(f"mediarouter.{match[2]}")
    return found


def inner(path: Path) -> set[str]:
    """Imports of our own modules, as module_of names them."""
    names = {name.removeprefix("mediarouter.") for name in imports_of(path) if name.startswith("mediarouter.")}
    return {n for n in names if n and not n.startswith("__")} - {module_of(path)}


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_go_downwards(path):
    module = module_of(path)
    if module.endswith("__init__"):
        return
    for other in inner(path):
        if (PACKAGE / other.replace(".", "/")).is_dir():
            continue
        assert layer_of(other) <= layer_of(module) or (key_of(module), key_of(other)) in UPWARD, (
            f"{module} (layer {layer_of(module)}) imports {other} (layer {layer_of(other)})"
        )


@pytest.mark.parametrize("path", [p for p in SOURCES if p.stem != "__init__"], ids=module_of)
def test_below_layer_four_there_is_no_clock_socket_thread_or_die(path):
    module = module_of(path)
    if layer_of(module) < 4:
        worldly = {name.partition(".")[0] for name in imports_of(path)} & WORLDLY
        assert not {name for name in worldly if (module, name) not in WORLDLY_ALLOWED}


def test_there_are_no_import_cycles():
    graph: dict[str, set[str]] = {}
    for path in SOURCES:
        if path.stem != "__init__":
            graph.setdefault(module_of(path), set()).update(n for n in inner(path) if n != module_of(path))
    state: dict[str, int] = {}

    def visit(node: str, trail: list[str]) -> None:
        if state.get(node) == 2:
            return
        assert state.get(node) != 1, " -> ".join([*trail, node])
        state[node] = 1
        for other in graph.get(node, ()):
            visit(other, [*trail, node])
        state[node] = 2

    for node in graph:
        visit(node, [])


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: p.stem)
def test_rooms_are_small(path):
    lines = len(path.read_text().splitlines())
    limit = 800 if path.stem in LARGE or "tests" in path.parts else 600
    assert lines <= limit, f"{path.name} has {lines} lines"


@pytest.mark.parametrize("path", [p for p in SOURCES if p.suffix in (".pyx", ".pxd")], ids=lambda p: p.name)
def test_every_c_function_states_its_contract(path):
    text = re.sub(r"\n\s+(?=[^\n]*\)\s*(noexcept|except|nogil|:|$))", " ", path.read_text())
    for match in re.finditer(
        r"^( *)cdef (?!enum|struct|class|extern|packed|union)([^\n=(]*\w)\(([^)]*)\)([^\n]*)", text, re.MULTILINE
    ):
        signature, tail = match[2], match[4]
        if "inline" in signature and path.suffix == ".pxd" or match[1]:
            if not match[1]:
                assert "noexcept nogil" in tail, match[0]
            continue
        returns_object = re.match(r"(inline )?(bytes|dict|tuple|list|object|str|encoding_figures)\b", signature) or (
            " " not in signature.strip()
        )
        built = re.match(r"(Copied|Address|IceCredentials|IceCredentials) \w+$", signature)
        if returns_object or built:
            continue
        assert "noexcept nogil" in tail or "except" in tail, match[0]


@pytest.mark.parametrize("path", [p for p in SOURCES if p.suffix == ".pyx"], ids=lambda p: p.stem)
def test_every_compiled_module_has_a_stub(path):
    assert path.with_suffix(".pyi").exists()


# Rooms of the engine that only work together are tested together.
TESTED_BY = {
    "_srtp_crypto": "test_srtp_ipsecmb.py",
    "_srtp_libsrtp": "test_srtp.py",
    "_srtp_libsrtp_mask": "test_srtp_headers.py",
    "_srtp_policy": "test_srtp_backend.py",
    "_srtp_streams": "test_srtp_backend.py",
    "_address": "test_ice.py",
    "_downlink_commands": "test_downlink.py",
    "congestion._estimator": "congestion/test_send_side.py",
    "congestion._face": "congestion/test_prober.py",
    "_feedback": "test_forward.py",
    "_ingress": "test_ingress.py",
    "_key_frames": "test_forward.py",
    "_pipe_commands": "test_pipe.py",
    "_pipe_in": "test_pipe.py",
    "_pipe_out": "test_pipe.py",
    "_plane": "test_ingress.py",
    "_reports": "test_forward.py",
    "_rtcp_packet": "test_rtcp_parse.py",
    "rtcp_rows": "test_rtcp_sources.py",
    "rtcp_xr_blocks": "test_rtcp_xr.py",
    "_messages": "test_loop.py",
    "_udp_queues": "test_udp.py",
    "_tcp": "test_loop.py",
    "_uplink_commands": "test_uplink_limit.py",
    "transports.base": "net/test_worker.py",
    "transports.webrtc": "net/test_worker.py",
    "router": "net/test_worker.py",
    "producer": "net/test_worker.py",
    "consumer": "net/test_worker.py",
    "errors": "net/test_worker.py",
    "codecs._payload": "codecs/test_codec.py",
    "congestion._alloc_stream": "congestion/test_allocation.py",
    "bench._checks": "bench/test_sink.py",
    "bench._clock": "bench/test_floor.py",
    "bench._source": "bench/test_sink.py",
    "bench._traffic": "bench/test_sink.py",
    "bench.clients": "bench/test_fanout.py",
    "bench.floor_process": "bench/test_fanout.py",
    "bench._histogram": "bench/test_sink.py",
    "bench.load": "bench/test_fanout.py",
    "bench.meeting": "bench/test_fanout.py",
    "bench.router_under_test": "bench/test_fanout.py",
    "bench.crowd": "bench/test_capacity.py",
    "bench.joins": "bench/test_handshake.py",
    "bench.hostile_client": "bench/test_hostile.py",
    "bench.visitors": "bench/test_soak.py",
    "bench.rooms": "bench/test_latency.py",
    "bench.stun_checks": "bench/test_handshake.py",
    "bench.running": "bench/test_fanout.py",
    "bench.peers.orders": "bench/peers/test_crowd.py",
    "bench.peers.peer": "bench/peers/test_crowd.py",
    "bench.peers.run": "bench/peers/test_command.py",
    "bench.router_process": "bench/test_fanout.py",
    "bench.stage": "bench/test_replay.py",
    "testing.sim.packet": "testing/sim/test_link.py",
    "testing.sim.trace": "testing/sim/test_record.py",
    "testing.sim.scenario": "testing/sim/test_world.py",
    "testing.sim.scenarios.faults": "testing/sim/scenarios/test_scenarios.py",
    "testing.sim.scenarios.layers": "testing/sim/scenarios/test_scenarios.py",
    "testing.sim.scenarios.losses": "testing/sim/scenarios/test_scenarios.py",
    "testing.sim.scenarios.paths": "testing/sim/scenarios/test_scenarios.py",
    "testing.sim.scenarios.rfc8867": "testing/sim/scenarios/test_scenarios.py",
    "testing.sim.scenarios.starts": "testing/sim/scenarios/test_scenarios.py",
    "testing.sim.scenarios.steady": "testing/sim/scenarios/test_scenarios.py",
}


@pytest.mark.parametrize("module", sorted({module_of(p) for p in SOURCES if p.stem != "__init__"}))
def test_every_module_has_its_test(module):
    *folders, name = module.split(".")
    mirror = ROOT / "tests" / Path(*folders) / f"test_{name.lstrip('_')}.py"
    named = TESTED_BY.get(module)
    assert mirror.exists() or (named and (ROOT / "tests" / named).exists()), f"{module}: {mirror.name} is missing"


def test_no_test_sleeps_but_those_with_real_clients():
    for path in (ROOT / "tests").rglob("*.py"):
        if "e2e" not in path.parts and "clients" not in path.parts and path.name != "test_house.py":
            assert not re.search(r"\b(time|asyncio)\.sleep\((?!0\))", path.read_text()), path.name


def test_no_machine_paths_and_nothing_left_unfinished():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    files = tracked.stdout.split() if tracked.returncode == 0 else []
    for name in files:
        path = ROOT / name
        if path.suffix in (".pcap", ".bin", ".png") or not path.exists() or path.name == "test_house.py":
            continue
        text = path.read_text(errors="replace")
        assert not re.search(r"/(root|work|home)/\w", text), name
        if name.startswith("src/"):
            assert not re.search(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b", text), name


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["cython-lint", "src", "fuzz"], ["mypy"]],
    ids=["ruff", "cython-lint", "mypy"],
)
def test_lint(command, monkeypatch):
    folder = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    done = subprocess.run([str(folder / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
