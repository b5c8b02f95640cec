"""The plain estimators, and what can be judged."""

import pytest

from mediarouter._transport_feedback import Twcc
from mediarouter.congestion import Controller, SendSideEstimator
from mediarouter.testing.sim.estimator import FixedRate, LossAimd, find_estimator, known_estimators


def report(*arrivals_us):
    return bytes(Twcc(1, 2, 0, arrivals_us))


def test_a_fixed_rate_is_not_impressed():
    fixed = FixedRate(500_000)
    fixed.on_packet_sent(0, 1200, 0)
    fixed.on_feedback(report(0, None, None), 1)
    assert (fixed.target_bps, fixed.pacing_bps) == (500_000, 1_250_000)
    assert fixed.poll(5) is None and fixed.poll_probe(5) is None


def test_aimd_grows_by_a_twelfth_a_second():
    aimd = LossAimd(1_200_000, 100_000, 9_000_000)
    for i in range(1, 11):
        aimd.on_feedback(report(0, 250), i * 100_000)
    assert aimd.target_bps == int(1_200_000 * (1 + 1 / 120) ** 10)


def test_aimd_falls_once_for_the_losses_of_a_while():
    aimd = LossAimd(1_000_000, 100_000, 9_000_000)
    aimd.on_feedback(report(0, None, 250), 1000)
    aimd.on_feedback(report(0, None, 250), 200_000)
    assert aimd.target_bps == 700_000
    aimd.on_feedback(report(0, None, 250), 301_000)
    assert aimd.target_bps in (489_999, 490_000)


def test_aimd_stays_in_its_limits():
    aimd = LossAimd(1_000_000, 900_000, 1_050_000)
    for i in range(50):
        aimd.on_feedback(report(0, 250), i * 100_000)
    assert aimd.target_bps == 1_050_000
    for i in range(50, 60):
        aimd.on_feedback(report(0, None, 250), i * 1_000_000)
    assert aimd.target_bps == 900_000


def test_all_that_can_be_judged_begin_where_they_are_told():
    known = known_estimators()
    assert list(known) == ["send-side", "loss-aimd", "fixed"]
    for make in known.values():
        assert make(400_000, 50_000, 2_000_000, 5_000_000).target_bps == 400_000


BROUGHT = """
from dataclasses import dataclass
from mediarouter.testing.sim import FixedRate

@dataclass
class Note:
    text: str

class Timid(FixedRate):
    target_bps = 1

def make(*limits): ...
class Stranger: ...
"""


def test_one_is_found_by_name_by_module_and_by_file(tmp_path):
    (tmp_path / "brought.py").write_text(BROUGHT)
    assert find_estimator("send-side") is SendSideEstimator
    assert find_estimator("mediarouter.testing.sim.estimator:LossAimd") is LossAimd
    assert find_estimator("mediarouter.congestion:SendSideEstimator") is SendSideEstimator
    timid = find_estimator(f"{tmp_path / 'brought.py'}:Timid")(5, 1, 9, 0)
    assert isinstance(timid, Controller) and timid.target_bps == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("oracle", "nothing is called oracle: send-side"),
        ("no_such_module:Class", "no_such_module"),
        ("mediarouter.congestion:Oracle", "Oracle"),
        ("no/such/file.py:Class", "No such file"),
        ("{folder}/brought.py:Stranger", "is no mediarouter.congestion.Controller"),
        ("{folder}/brought.py:make", "is no mediarouter.congestion.Controller"),
    ],
)
def test_what_is_no_controller_is_refused(name, says, tmp_path):
    (tmp_path / "brought.py").write_text(BROUGHT)
    with pytest.raises(ValueError, match=says):
        find_estimator(name.format(folder=tmp_path))
