"""Dumps of callgrind are read to the last instruction, or refused."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "bench"))

import callgrind  # noqa: E402
from callgrind import Function  # noqa: E402

FORWARD = "/x/site-packages/mediarouter/_forward.cpython-311-x86_64-linux-gnu.so"
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
DUMP = f"""# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 24625
cmd:  python workloads.py
part: 1

desc: Timerange: Basic block 0 - 208305853
desc: Trigger: --dump-after=mediarouter_counted

positions: line
events: Ir
summary: 1060

ob={FORWARD}
fl=/x/src/mediarouter/_forward.c
fn=__pyx_f_11mediarouter_8_forward_emit
4340 100
4328 20
fi=/x/src/mediarouter/_rtp.h
12 30
fe=/x/src/mediarouter/_forward.c
cob={LIBC}
cfi=???
cfn=__memcpy_avx_unaligned_erms
calls=6 0
4344 900
4350 10

fl=/x/src/mediarouter/_forward.c
fn=__pyx_f_11mediarouter_8_forward_offer'2
9 0

ob={LIBC}
fl=???
fn=__memcpy_avx_unaligned_erms
0 900
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "out.1"
    path.write_text(text)
    return path


def test_self_costs_leave_out_what_calls_cost(tmp_path):
    costs = callgrind.read(written(tmp_path, DUMP))
    assert costs[Function(FORWARD, "__pyx_f_11mediarouter_8_forward_emit")] == 160
    assert costs[Function(LIBC, "__memcpy_avx_unaligned_erms")] == 900
    assert callgrind.by_group(costs) == {"ours": 160, "libc": 900}


def test_what_does_not_add_up_is_refused(tmp_path):
    with pytest.raises(ValueError, match="1060 instructions were read, 1061"):
        callgrind.read(written(tmp_path, DUMP.replace("summary: 1060", "summary: 1061")))
    with pytest.raises(ValueError, match="counted"):
        callgrind.read(written(tmp_path, DUMP.replace("4328 20\n", "")))


@pytest.mark.parametrize(
    ("place", "group"),
    [
        (FORWARD, "ours"),
        ("/x/mediarouter/codecs/_vp8.cpython-311-x86_64-linux-gnu.so", "ours"),
        ("/x/mediarouter/bench/_replay.cpython-311-x86_64-linux-gnu.so", "bench"),
        (LIBC, "libc"),
        ("/lib64/ld-linux-x86-64.so.2", "libc"),
        ("/usr/lib/x86_64-linux-gnu/libIPSec_MB.so.1.3.0", "crypto"),
        ("/x/site-packages/pylibsrtp/_binding.abi3.so", "crypto"),
        ("/usr/bin/python3.11", "python"),
        ("/x/site-packages/numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so", "python"),
    ],
)
def test_each_object_has_its_group(place, group):
    assert Function(place, "f").group == group


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("__pyx_f_11mediarouter_8_forward_emit", "_forward.emit"),
        ("__pyx_f_11mediarouter_8_forward_emit_newest", "_forward.emit_newest"),
        ("__pyx_f_11mediarouter_6codecs_4_vp8_vp8_parse", "codecs._vp8.vp8_parse"),
        ("__pyx_f_11mediarouter_13_srtp_ipsecmb_make_iv.isra.0", "_srtp_ipsecmb.make_iv.isra.0"),
        ("__pyx_pw_11mediarouter_10_rtp_batch_3parse_times", "_rtp_batch.parse_times"),
        ("__memcpy_avx_unaligned_erms", "__memcpy_avx_unaligned_erms"),
    ],
)
def test_names_are_those_of_the_source(symbol, name):
    assert Function(FORWARD, symbol).short == name
