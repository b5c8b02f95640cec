"""What SRTP costs, each figure against its peer in the same run: `python -m pytest bench/micro/test_bench_srtp.py`."""

import time
from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tests.srtp_packets import Peer, key_of, rtp

from mediarouter._srtp_fanout import measure
from mediarouter._srtp_libsrtp import measure as measure_pointer
from mediarouter.srtp import Profile, SrtpSession, available

PACKET = rtp(1, payload=bytes(1188))
BATCH = 200
LIMITS_NS = {Profile.AEAD_AES_128_GCM: 220, Profile.AES128_CM_SHA1_80: 550}


def best_ns(function: Callable[[], object], packets: int, rounds: int = 60) -> float:
    """Nanoseconds a packet, the best of many rounds."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter_ns()
        function()
        times.append(time.perf_counter_ns() - begun)
    return min(times) / packets


def calls(function: Callable[[bytes], bytes], packets: list[bytes]) -> Callable[[], None]:
    def run() -> None:
        for packet in packets:
            function(packet)

    return run


@pytest.mark.parametrize("backend", available())
@pytest.mark.parametrize("profile", [Profile.AEAD_AES_128_GCM, Profile.AES128_CM_SHA1_80], ids=lambda p: p.name)
def test_protect_from_python(benchmark: BenchmarkFixture, profile: Profile, backend: str) -> None:
    """1,200 bytes: with GCM some four times as fast as pylibsrtp's Session.protect, whatever encrypts."""
    key = key_of(profile)
    session, peer = SrtpSession(profile, key, key, backend=backend), Peer(profile, key, key)
    packets = [rtp(1, payload=bytes(1188))] * BATCH
    benchmark(calls(session.protect, packets))
    if benchmark.enabled:
        ours, theirs = best_ns(calls(session.protect, packets), BATCH), best_ns(calls(peer.out.protect, packets), BATCH)
        benchmark.extra_info.update(ns=ours, pylibsrtp_ns=theirs)
        print(f"\n{profile.name} {backend}: {ours:.0f} ns, pylibsrtp {theirs:.0f} ns, {theirs / ours:.1f} times")
        # of libsrtp's share nothing can be saved, and it is seven eighths of ours
        wanted = 1.2 if "GCM" not in profile.name else 3.8 if backend == "libsrtp" else 4
        assert ours * wanted <= theirs


@pytest.mark.parametrize("backend", available())
@pytest.mark.parametrize("profile", LIMITS_NS, ids=lambda p: p.name)
def test_fan_out(benchmark: BenchmarkFixture, profile: Profile, backend: str) -> None:
    """A packet of 1,200 bytes to 50, without the GIL: libsrtp's own cost by pointer and 15 % with libsrtp, an absolute
    figure with ipsec-mb."""
    sessions = [SrtpSession(profile, key_of(profile, i), key_of(profile, i), backend=backend) for i in range(50)]
    benchmark(measure, PACKET, sessions, 20)
    if benchmark.enabled:
        key, ours, pointer, making = key_of(profile), [], [], []
        for _ in range(40):  # turn about, so that both see the same neighbours
            ours.append(best_ns(lambda: measure(PACKET, sessions, 100), 5000, 2))
            pointer.append(best_ns(lambda: measure_pointer(PACKET, 50, profile, key, 100), 5000, 2))
            making.append(best_ns(lambda: measure_pointer(PACKET, 50, profile, key, 0), 5000, 2))
        pointer = [min(pointer) - min(making)]  # without what it takes to make its contexts
        benchmark.extra_info.update(ns=min(ours), pointer_ns=min(pointer))
        print(f"\n{profile.name} {backend}: {min(ours):.0f} ns a packet, libsrtp by pointer {min(pointer):.0f} ns")
        assert min(ours) <= (min(pointer) * 1.15 if backend == "libsrtp" else LIMITS_NS[profile])
