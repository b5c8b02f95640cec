"""RTCP as Python values."""

import contextlib

from tests.rtcp_vectors import COMPOUND, CONTRADICTING, GOOD, all_captured, padded

from mediarouter import _rtcp, rtcp

EVERY = 100  # of the inputs in C that come here, one of so many
SEEDS = [*GOOD.values(), COMPOUND, padded(COMPOUND[:52], 4), *all_captured()[::5]]
SEEDS += [packet for packet, _ in CONTRADICTING.values()]


def fuzz_one(data: bytes) -> tuple[int, int]:
    """No input may harm; what is taken goes as the same bytes, looked into and built again."""
    walked, code = _rtcp.walk(data)
    try:
        packets = rtcp.parse(data)
    except rtcp.RtcpError as error:
        assert data.startswith(b"".join(map(bytes, error.packets)))
        assert error.offset == sum(len(bytes(packet)) for packet in error.packets)
        return 0, 1
    assert (len(packets), code) == (len(walked), 0)
    assert b"".join(map(bytes, packets)) == data
    for packet in packets:
        check(packet)
    return 1, 0


def check(packet: rtcp.RtcpPacket | rtcp.Twcc) -> None:
    repr(packet)
    if isinstance(packet, rtcp.Twcc):
        assert len(packet.arrivals) == packet.packet_status_count
        return
    again = None
    with contextlib.suppress(ValueError):  # cut by padding to no whole word, or named as none of its own
        again = rtcp.replace(packet)
    assert again is None or again == packet, (again, packet)
    assert again is not None or packet.padding_size % 4, packet
