"""RTCP datagrams as Python values, against aiortc and plain Python.

`python -m pytest bench/micro/test_bench_rtcp.py`; `-s` prints the ratios.
"""

import timeit

import pytest
from aiortc.rtp import RtcpPacket as AiortcPacket
from pytest_benchmark.fixture import BenchmarkFixture
from tests import twcc_reference

from mediarouter import _transport_feedback, rtcp

SSRC, MEDIA = 0x1234, 0x5678
BLOCKS = [rtcp.ReportBlock(MEDIA + i, 3, 5, 70_000 + i, 90, 0xAABBCCDD, 65_536) for i in range(4)]
LOST = [100, 101, 103, 115, 500, 501]
# a packet a millisecond, each seventh lost; two steps of 64 ms make it whole words, which aiortc asks for
ARRIVALS = [None if i % 7 == 3 else i * 1000 + 64_000 * (i // 40) for i in range(100)]
TWCC = bytes(rtcp.Twcc(SSRC, MEDIA, 65_500, ARRIVALS))
COMPOUND = rtcp.build(
    [
        rtcp.SenderReport(SSRC, 0xE1E2E3E480000000, 90_000, 1000, 1_000_000, BLOCKS[:1]),
        rtcp.Sdes([(SSRC, [(rtcp.SdesType.CNAME, "{7c15a0fd-4c4b-4eb9}")])]),
        rtcp.Nack(SSRC, MEDIA, LOST),
        rtcp.Twcc(SSRC, MEDIA, 65_500, ARRIVALS),
        rtcp.ReceiverReport(SSRC, BLOCKS),
        rtcp.Remb(SSRC, 2_500_000, [MEDIA, MEDIA + 1]),
    ]
)


def seconds(work: object, times: int) -> float:
    """Of one call, the best of seven runs."""
    return min(timeit.repeat(work, number=times, repeat=7)) / times  # type: ignore[arg-type]


def note(benchmark: BenchmarkFixture, peer_s: float, floor: float) -> None:
    if benchmark.enabled:
        ratio = peer_s / benchmark.stats.stats.min
        benchmark.extra_info["peer_us"] = peer_s * 1e6
        benchmark.extra_info["ratio"] = ratio
        print(f"\n{benchmark.stats.stats.min * 1e6:.3f} us, peer {peer_s * 1e6:.2f} us: {ratio:.1f} times")
        assert ratio >= floor


def test_compound(benchmark: BenchmarkFixture) -> None:
    """A sender report, SDES, NACK, 100 statuses, a receiver report of four blocks and a REMB: 5 times aiortc."""
    assert len(TWCC) % 4 == 0 and not TWCC[0] & 0x20
    assert len(AiortcPacket.parse(COMPOUND)) == 6
    packets = benchmark(rtcp.parse, COMPOUND)
    assert rtcp.build(packets) == COMPOUND
    note(benchmark, seconds(lambda: AiortcPacket.parse(COMPOUND), 500), 5)


def look(data: bytes) -> tuple[object, ...]:
    sender, sdes, nack, _, receiver, remb = rtcp.parse(data)
    assert isinstance(sender, rtcp.SenderReport) and isinstance(sdes, rtcp.Sdes)
    assert isinstance(nack, rtcp.Nack) and isinstance(remb, rtcp.Remb) and isinstance(receiver, rtcp.ReceiverReport)
    fields = (sender.ssrc, sender.ntp_timestamp, sender.rtp_timestamp, sender.packet_count, sender.octet_count)
    return fields, sender.reports, sdes.chunks, nack.sequence_numbers, receiver.reports, remb.bitrate_bps, remb.ssrcs


def test_compound_looked_into(benchmark: BenchmarkFixture) -> None:
    """The same with all rows made, which aiortc does when it parses: 5 times. It takes the transport-wide feedback for
    a NACK; that has a benchmark of its own here."""
    without = rtcp.build([packet for packet in rtcp.parse(COMPOUND) if not isinstance(packet, rtcp.Twcc)])
    whole = rtcp.parse(COMPOUND)
    found = benchmark(look, COMPOUND)
    assert found[4] == tuple(BLOCKS)
    assert [packet for packet in whole if not isinstance(packet, rtcp.Twcc)] == rtcp.parse(without)
    note(benchmark, seconds(lambda: AiortcPacket.parse(without), 500), 5)


def test_transport_feedback(benchmark: BenchmarkFixture) -> None:
    """100 statuses as a value and as an array: 50 times what plain Python takes."""
    expected = twcc_reference.parse(TWCC)

    def work() -> object:
        (packet,) = rtcp.parse(TWCC)
        assert isinstance(packet, rtcp.Twcc)
        return packet.statuses

    assert len(benchmark(work)) == len(expected) == 100  # type: ignore[arg-type]
    note(benchmark, seconds(lambda: twcc_reference.parse(TWCC), 100), 50)


def test_transport_feedback_in_c(benchmark: BenchmarkFixture) -> None:
    """At most 20 ns a status."""
    assert benchmark(_transport_feedback.parse_times, TWCC, 1000) == 100_000
    if benchmark.enabled:
        ns_per_status = benchmark.stats.stats.min * 1e9 / 100_000
        benchmark.extra_info["ns_per_status"] = ns_per_status
        print(f"\n{ns_per_status:.2f} ns a status")
        assert ns_per_status <= 20


def test_build_compound(benchmark: BenchmarkFixture) -> None:
    """A receiver report, SDES and NACK from their fields: 1.5 times aiortc."""
    from aiortc import rtp as theirs

    infos = [theirs.RtcpReceiverInfo(MEDIA + i, 3, 5, 70_000 + i, 90, 0xAABBCCDD, 65_536) for i in range(4)]

    def peer() -> bytes:
        source = theirs.RtcpSourceInfo(SSRC, [(1, b"{7c15a0fd-4c4b-4eb}")])
        nack = theirs.RtcpRtpfbPacket(1, SSRC, MEDIA, LOST)
        return bytes(theirs.RtcpRrPacket(SSRC, infos)) + bytes(theirs.RtcpSdesPacket([source])) + bytes(nack)

    def work() -> bytes:
        sdes = rtcp.Sdes([(SSRC, [(1, b"{7c15a0fd-4c4b-4eb}")])])
        return rtcp.build([rtcp.ReceiverReport(SSRC, BLOCKS), sdes, rtcp.Nack(SSRC, MEDIA, LOST)])

    assert rtcp.parse(benchmark(work)) == rtcp.parse(peer())
    note(benchmark, seconds(peer, 500), 1.5)


@pytest.mark.parametrize("name", ["sr", "nack", "remb"])
def test_one_packet(benchmark: BenchmarkFixture, name: str) -> None:
    """A datagram of one packet: 5 times aiortc."""
    packets = {"sr": rtcp.parse(COMPOUND)[0], "nack": rtcp.parse(COMPOUND)[2], "remb": rtcp.parse(COMPOUND)[5]}
    data = bytes(packets[name])
    assert benchmark(rtcp.parse, data) == [packets[name]]
    note(benchmark, seconds(lambda: AiortcPacket.parse(data), 2000), 5)
