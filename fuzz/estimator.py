"""The estimator of the send side, as users of Python feed it."""

from fuzz.twcc import seeds

from mediarouter.congestion import SendSideEstimator
from mediarouter.rtcp import Remb, Twcc

EVERY = 500  # of the inputs in C that come here, one of so many
MIN_BPS, MAX_BPS = 50_000, 5_000_000
SENT, GAP_US = 100, 3_000

SEEDS = seeds()
SEEDS += [SEEDS[0] + bytes(Remb(1, 700_000)), bytes(Remb(1, 100_000)) + SEEDS[1], SEEDS[2] + SEEDS[3]]
SEEDS.append(bytes(Twcc(1, 2, 65_500, [None if i % 7 == 3 else i * 1000 for i in range(100)])))


def fuzz_one(data: bytes) -> tuple[int, int]:
    """No input may harm, and the estimate keeps its limits."""
    estimator = SendSideEstimator(500_000, MIN_BPS, MAX_BPS)
    first = int.from_bytes(data[12:14], "big")  # where a single report begins
    for i in range(SENT):
        estimator.on_packet_sent(first + i, 1200, i * GAP_US, 1 if i > SENT // 2 else 0)
    for times in range(3):
        now_us = SENT * GAP_US + times * 50_000
        told = estimator.on_feedback(data, now_us)
        assert 0 <= told <= 2 * SENT and (times == 0 or told == 0), "packets told of twice"
        assert MIN_BPS <= estimator.budget_bps <= estimator.target_bps <= MAX_BPS
        estimator.poll(now_us)
        assert MIN_BPS <= estimator.budget_bps <= estimator.target_bps <= MAX_BPS
        if times == 0:
            counters = estimator.counters
    accepted = counters["reports"] > 0 and not counters["malformed"]
    return int(accepted), int(not accepted)
