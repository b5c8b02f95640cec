"""Transport-wide feedback in a capture: how long packets were on their way, as their receiver told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
from msgspec import Struct
from numpy.typing import NDArray

from mediarouter import _transport_feedback
from mediarouter._rtp import kind_of_datagram
from mediarouter._rtp_numbers import unwrap_seq
from mediarouter.capture import Capture

FEEDBACK, TRANSPORT_WIDE = 205, 15  # packet type and format


class FeedbackReport(Struct):
    """What one receiver told about one sender.

    Attributes:
        sender: address and port of whoever sent the media.
        packets: feedback packets.
        received: media packets that it told about as received, and that are in the capture.
        lost: media packets that it told about as lost, and no later packet as received.
        delays_us: (capture time, delay) of each received packet, microseconds; the smallest delay is 0, since the
            receiver's clock is another. The capture must be one of the sender's side to show the way there.
        median_us, p95_us, max_us: of these delays.
    """

    sender: str
    packets: int
    received: int
    lost: int
    delays_us: list[tuple[int, int]]
    median_us: int
    p95_us: int
    max_us: int


def inspect_feedback(
    found: Capture, rows: NDArray[Any], media: NDArray[Any], rtcp: NDArray[Any], twcc_id: int | None
) -> list[FeedbackReport]:
    """Match feedback with media that went the other way; nothing when the header extension's id is not known."""
    if twcc_id is None or twcc_id > 14:
        return []
    media = media[(rows["located"][media] >> twcc_id & 1).astype(bool)]
    media = media[rows["element_size"][media, twcc_id] == 2]
    data = numpy.frombuffer(found.buffer, numpy.uint8)
    at = rows["offset"][media].astype(numpy.int64) + rows["element_offset"][media, twcc_id]
    numbers = data[at].astype(numpy.int64) << 8 | data[at + 1]
    flows: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
    for index, number in zip(media.tolist(), numbers.tolist(), strict=True):
        flows.setdefault(found.source(index), []).append((int(found.time_us[index]), index, number))
    told: dict[tuple[str, int], list[tuple[int, int, _transport_feedback.Twcc]]] = {}
    for index in rtcp.tolist():
        for packet in _transport_wide(bytes(found.datagram(index))):
            told.setdefault(found.destination(index), []).append((int(found.time_us[index]), index, packet))
    return [
        _flow(f"{host}:{port}", flows[host, port], told[host, port]) for host, port in flows if (host, port) in told
    ]


def _transport_wide(compound: bytes) -> Iterator[_transport_feedback.Twcc]:
    """The transport-wide feedback of an RTCP compound; what contradicts itself is passed over."""
    at = 0
    while at + 4 <= len(compound) and kind_of_datagram(compound[at : at + 2]) == "rtcp":
        size = 4 * int.from_bytes(compound[at + 2 : at + 4], "big") + 4
        if compound[at + 1] == FEEDBACK and compound[at] & 0x1F == TRANSPORT_WIDE:
            try:
                yield _transport_feedback.from_bytes(compound[at : at + size])
            except ValueError:
                pass
        at += size


def _flow(
    sender: str, sent: list[tuple[int, int, int]], told: list[tuple[int, int, _transport_feedback.Twcc]]
) -> FeedbackReport:
    """In the order of the capture, so that each number means the last packet that had it."""
    events: list[tuple[int, int, Any]] = sorted([*sent, *told], key=lambda event: event[:2])
    last_sent: dict[int, int] = {}
    arrived: dict[int, tuple[int, int]] = {}
    lost: set[int] = set()
    reference = 0
    newest = -1
    for time_us, _, event in events:
        if isinstance(event, int):
            last_sent[event] = time_us
            continue
        unwrapped = _transport_feedback.unwrap_reference_time(reference, event.reference_time)
        shift_us = (unwrapped - event.reference_time) * 64_000
        reference = max(reference, unwrapped)
        for number, arrival_us in event.arrivals:
            place = number if newest < 0 else unwrap_seq(newest, number)
            newest = max(newest, place)
            if arrival_us is None:
                lost.add(place)
            elif number in last_sent:
                sent_us = last_sent[number]
                arrived.setdefault(place, (sent_us, arrival_us + shift_us - sent_us))
    return _summary(sender, len(told), len(lost - arrived.keys()), list(arrived.values()))


def _summary(sender: str, packets: int, lost: int, delays: list[tuple[int, int]]) -> FeedbackReport:
    smallest = min((delay for _, delay in delays), default=0)
    points = sorted((time_us, delay - smallest) for time_us, delay in delays)
    values = numpy.array([delay for _, delay in points] or [0])
    median, p95 = numpy.percentile(values, [50, 95])
    return FeedbackReport(
        sender, packets, len(points), lost, points, round(float(median)), round(float(p95)), int(values.max())
    )
