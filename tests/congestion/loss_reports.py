"""Reports as libwebrtc's unit tests of its second loss-based estimator build them, and a limiter that takes them."""

from mediarouter.congestion._loss_based import LossLimiter

OBSERVATION_US = 250_000
WINDOW_US = 300_000
PACKET_BYTES = 15_000
UNBOUNDED_BPS = 1 << 40
Packet = tuple[int, int, bool]         # sent, µs; bytes; received

# the parameters of its older tests
OLD: dict[str, float | tuple[float, ...]] = {
    "ramp_factor": 1.2,
    "candidate_factors": (1.1, 1.0, 0.95),
    "bandwidth_bias": 0.01,
    "inherent_loss_min": 0.001,
    "inherent_loss_balance_bps": 14_000,
    "inherent_loss_offset": 0.9,
    "inherent_loss_start": 0.01,
    "newton_iterations": 2,
    "newton_step": 0.4,
    "observations": 15,
    "sending_rate_smoothing": 0.01,
    "bound_age_weight": 0.97,
    "bound_balance_bps": 90_000,
    "bound_loss_offset": 0.1,
    "age_weight": 0.98,
    "observations_min": 1,
    "observation_us": OBSERVATION_US,
    "window_factor": 1.5,
    "window_us": WINDOW_US,
}
# and those of its newer ones, which leave the rest at the defaults
SHORT: dict[str, float | tuple[float, ...]] = {"observations_min": 1, "observations": 2}


def received(at_us: int) -> list[Packet]:
    return [(at_us, PACKET_BYTES, True), (at_us + OBSERVATION_US, PACKET_BYTES, True)]


def half_lost(at_us: int) -> list[Packet]:
    return [(at_us, PACKET_BYTES, True), (at_us + OBSERVATION_US, PACKET_BYTES, False)]


def tenth_lost(at_us: int, lost_bytes: int = PACKET_BYTES) -> list[Packet]:
    packets = [(at_us + i * OBSERVATION_US, PACKET_BYTES, True) for i in range(9)]
    return [*packets, (at_us + 9 * OBSERVATION_US, lost_bytes, False)]


def all_lost(at_us: int, count: int = 2) -> list[Packet]:
    packets = [(at_us + i * 10_000, PACKET_BYTES, False) for i in range(count - 1)]
    return [*packets, (at_us + OBSERVATION_US, PACKET_BYTES, False)]


class Limiter:
    """A limiter without limits of its own, and the numbers of the packets it was told of."""

    def __init__(self, parameters: dict[str, float | tuple[float, ...]], **more: float | tuple[float, ...]):
        self.loss = LossLimiter(777_000, 1_000, UNBOUNDED_BPS, **(parameters | more))
        self.number = 0

    def report(self, packets: list[Packet], delay_bps: int | None = None, in_alr: bool = False) -> int:
        for send_us, size_bytes, is_received in packets:
            self.loss.on_packet(self.number, send_us, size_bytes, is_received)
            self.number += 1
        return self.loss.update(delay_bps, in_alr)

    def report_until(self, state: str, at_us: int, delay_bps: int | None = None, in_alr: bool = False) -> int:
        """Reports without loss, 250 ms apart, until that state: the time of the next one."""
        for _ in range(200):
            if self.loss.state == state:
                return at_us
            self.report(received(at_us), delay_bps, in_alr)
            at_us += OBSERVATION_US
        raise AssertionError(f"never {state}")
