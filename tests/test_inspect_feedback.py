"""Feedback in a capture that lies: it is passed over, and what is good is read. The good case is in test_inspect.py."""

import pytest

from mediarouter import capture
from mediarouter.inspect import inspect_capture
from tests.test_inspect import DESCRIPTION, datagram, feedback, media, pcap_of

GOOD = feedback(0, [1000, None, 3000])
REPORT = bytes.fromhex("80c9000100000001")


def told_by(*compounds):
    sent = [(i, datagram(media(i))) for i in range(3)]
    answers = [(10 + i, datagram(data, (6000, 5000), True)) for i, data in enumerate(compounds)]
    (told,) = inspect_capture(capture.parse(pcap_of(sent + answers)), DESCRIPTION).feedback or [None]
    return told


@pytest.mark.parametrize("compound", [GOOD, REPORT + GOOD, GOOD + REPORT, GOOD + b"\x80\xcd"])
def test_feedback_anywhere_in_a_compound(compound):
    told = told_by(compound)
    assert (told.packets, told.received, told.lost) == (1, 2, 1)


def test_lost_and_then_received():
    told = told_by(feedback(0, [1000, None, None]), feedback(1, [2000, None]))
    assert (told.packets, told.received, told.lost) == (2, 2, 1)


@pytest.mark.parametrize("length", range(8, len(GOOD)))
def test_truncated_feedback_is_passed_over(length):
    assert told_by(GOOD[:length]) is None


def test_every_single_bit_flip():
    for bit in range(8 * len(GOOD)):
        damaged = bytearray(GOOD)
        damaged[bit >> 3] ^= 0x80 >> (bit & 7)
        told = told_by(bytes(damaged), GOOD)
        assert told.packets >= 1 and told.received <= 3
