"""Every number that a packet is built from: an integer, or something that says it is one, and nothing to round."""

import pytest

from mediarouter import rtcp

NUMBERS = {
    "unknown type": lambda x: rtcp.UnknownPacket(x, 1),
    "unknown count": lambda x: rtcp.UnknownPacket(199, x),
    **{
        f"block {name}": lambda x, name=name: rtcp.ReportBlock(**{"ssrc": 1, name: x})
        for name in rtcp.ReportBlock.__match_args__
    },
    **{
        f"sender report {place}": lambda x, place=place: rtcp.SenderReport(*(x if i == place else 1 for i in range(5)))
        for place in range(5)
    },
    "receiver report": rtcp.ReceiverReport,
    "chunk": lambda x: rtcp.Sdes([(x, [])]),
    "item": lambda x: rtcp.Sdes([(1, [(x, b"")])]),
    "bye": lambda x: rtcp.Bye([x]),
    "app": lambda x: rtcp.App(x, b"abcd"),
    "subtype": lambda x: rtcp.App(1, b"abcd", subtype=x),
    "nack": lambda x: rtcp.Nack(1, 2, [x]),
    "pair": lambda x: rtcp.Nack.from_pairs(1, 2, [(x, 0)]),
    "mask": lambda x: rtcp.Nack.from_pairs(1, 2, [(0, x)]),
    **{
        f"slice {place}": lambda x, place=place: rtcp.Sli(1, 2, [tuple(x if i == place else 1 for i in range(3))])
        for place in range(3)
    },
    "payload type": lambda x: rtcp.Rpsi(1, 2, x, b""),
    "bit count": lambda x: rtcp.Rpsi(1, 2, 3, b"a", x),
    "fir ssrc": lambda x: rtcp.Fir(1, [(x, 1)]),
    "fir number": lambda x: rtcp.Fir(1, [(1, x)]),
    **{
        f"limit {place}": lambda x, place=place: rtcp.Tmmbr(1, [tuple(x if i == place else 1 for i in range(3))])
        for place in range(3)
    },
    "remb bitrate": lambda x: rtcp.Remb(1, x),
    "remb ssrc": lambda x: rtcp.Remb(1, 2, [x]),
    "ccfb sender": lambda x: rtcp.Ccfb(x, 1),
    "ccfb timestamp": lambda x: rtcp.Ccfb(1, x),
    "ccfb stream": lambda x: rtcp.Ccfb(1, 2, [(x, 1, [])]),
    "ccfb begin": lambda x: rtcp.Ccfb(1, 2, [(1, x, [])]),
    "ccfb ecn": lambda x: rtcp.Ccfb(1, 2, [(1, 2, [(x, 1)])]),
    "ccfb offset": lambda x: rtcp.Ccfb(1, 2, [(1, 2, [(1, x)])]),
    "xr": rtcp.Xr,
    "xr type": lambda x: rtcp.Xr(1, [rtcp.XrBlock(x, 1)]),
    "xr specific": lambda x: rtcp.Xr(1, [rtcp.XrBlock(1, x)]),
    "rrtr": lambda x: rtcp.Xr(1, [rtcp.Rrtr(x)]),
    **{
        f"dlrr {place}": lambda x, place=place: bytes(
            rtcp.Dlrr((rtcp.DlrrReport(*(x if i == place else 1 for i in range(3))),))
        )
        for place in range(3)
    },
    **{
        f"twcc {place}": lambda x, place=place: rtcp.Twcc(
            *(x if i == place else 1 for i in range(3)), [0], x if place == 3 else 0
        )
        for place in range(4)
    },
    "twcc arrival": lambda x: rtcp.Twcc(1, 2, 3, [x]),
}


class Index:
    """What counts as an integer without being one."""

    def __index__(self) -> int:
        return 1


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_an_integer_and_is_never_rounded(name):
    build = NUMBERS[name]
    build(1)
    build(Index())
    for value in (1.5, 1.0, 0.0, -1.0, 1e30, float("inf"), float("nan"), "1", None, 1j):
        if value is None and name in ("twcc arrival", "bit count"):
            continue  # there it has a meaning
        with pytest.raises(TypeError):
            build(value)
