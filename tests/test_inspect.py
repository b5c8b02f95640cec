"""`inspect_capture`: against plain Python over dpkt on browsers' captures, and on a call whose numbers are known."""

import struct
from collections import Counter, defaultdict

import dpkt
import pytest

from mediarouter import capture, rtp
from mediarouter._transport_feedback import Twcc
from mediarouter.header_extensions import MID, TRANSPORT_CC
from mediarouter.inspect import Codec, Description, inspect_capture
from tests import capture_files as files
from tests.rtp_vectors import CAPTURES, VECTORS


def described(path):
    return Description.of((VECTORS / "answers" / f"{path.stem}.txt").read_text())


def judged(path):
    """SSRC -> [(time, RTP of dpkt)], in the order of the file."""
    streams = defaultdict(list)
    with path.open("rb") as file:
        for time, frame in dpkt.pcap.Reader(file):
            datagram = dpkt.ip.IP(frame).data
            if datagram.dport == 5004:
                packet = dpkt.rtp.RTP(datagram.data)
                streams[packet.ssrc].append((float(time), packet, len(datagram.data)))
    return streams


def jitter_ms(packets, clock):
    """RFC 3550 A.8, in clock units, as its text has it."""
    jitter, before = 0.0, None
    for time, packet, _ in packets:
        transit = time * clock - packet.ts
        if before is not None:
            step = abs(transit - before)
            jitter += (min(step, 2**32 - step) - jitter) / 16  # timestamps come round
        before = transit
    return jitter / clock * 1000


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_browsers_captures_against_plain_python(path):
    description = described(path)
    report = inspect_capture(capture.read(path), description)
    streams = judged(path)
    assert {stream.ssrc for stream in report.streams} == set(streams)
    assert (report.guessed, report.other) == ([], 0)
    for stream in report.streams:
        packets = streams[stream.ssrc]
        numbers = [packet.seq for _, packet, _ in packets]
        assert max(numbers) - min(numbers) < 30000  # none comes round in these
        assert stream.packets == len(packets)
        assert stream.bytes == sum(size for _, _, size in packets)
        assert stream.payload_types == Counter(packet.pt for _, packet, _ in packets)
        assert stream.lost == max(numbers) - min(numbers) + 1 - len(set(numbers))
        assert stream.duplicates == len(numbers) - len(set(numbers))
        assert stream.reordered == sum(n < max(numbers[: i + 1]) for i, n in enumerate(numbers))
        assert abs(stream.duration_us - (packets[-1][0] - packets[0][0]) * 1e6) < 2
        assert sum(stream.bitrates_bps) == 8 * stream.bytes
        if stream.codec.endswith("rtx"):
            assert stream.jitter_ms is None
        else:
            assert stream.jitter_ms == pytest.approx(jitter_ms(packets, stream.clock_rate), abs=0.002)


def test_layers_and_key_frames_of_chromiums_vp9():
    path = VECTORS / "rtp_chromium_vp9svc.pcap"
    (stream,) = [s for s in inspect_capture(capture.read(path), described(path)).streams if s.codec == "video/VP9"]
    # VP9 payload descriptor with picture id and layer indices: I, P, L, F, B, E, V; 15 bits of picture id; TID U SID D
    layers, keys = Counter(), set()
    for _, packet, _ in judged(path)[stream.ssrc]:
        header = rtp.parse(bytes(packet))
        first, at = header.payload[0], 3
        assert first & 0xA0 == 0xA0 and header.payload[1] & 0x80
        temporal, spatial = header.payload[at] >> 5, header.payload[at] >> 1 & 7
        layers[spatial, temporal] += 1
        if not first & 0x40 and first & 0x08 and spatial == 0:
            keys.add(packet.ts)
    assert {(x.spatial, x.temporal): x.packets for x in stream.layers} == layers
    assert stream.key_frames == len(keys) > 0


def test_names_and_retransmissions_of_chromiums_simulcast():
    path = VECTORS / "rtp_chromium_vp8sim.pcap"
    told = inspect_capture(capture.read(path), described(path))
    names = {stream.ssrc: (stream.mid, stream.rid, stream.rtx_of) for stream in told.streams}
    assert names == {
        0x84772A0F: ("0", None, None),
        0x00901694: ("1", "f", 0xB154B704),
        0xB154B704: ("1", "f", None),
        0x19566049: ("1", "h", None),
        0xFC424561: ("1", "q", None),
        0x2315309C: ("1", "q", 0xFC424561),
    }
    guessed = inspect_capture(capture.read(path))
    assert {s.ssrc: (s.mid, s.rid) for s in guessed.streams} == {k: v[:2] for k, v in names.items()}
    assert "header extension 4 is mid" in guessed.guessed
    assert "clock rate of payload type 96: 90000" in guessed.guessed
    assert {s.key_frames for s in guessed.streams} == {None}


# ---- a call of one second: 100 packets of VP8, whose numbers come round


def datagram(payload, ports=(5000, 6000), back=False):
    frame = bytearray(files.ipv4(files.udp(payload, ports)))
    if back:
        frame[12:20] = frame[16:20] + frame[12:16]
    return bytes(frame)


def pcap_of(events):
    data = files.pcap([], link_type=101)
    for time_us, frame in sorted(events):
        data += struct.pack("<IIII", time_us // 1_000_000, time_us % 1_000_000, len(frame), len(frame)) + frame
    return data


def media(number, **fields):
    defaults = {"payload_type": 96, "ssrc": 0xA, "sequence_number": (65500 + number) & 0xFFFF}
    defaults |= {
        "timestamp": (2**32 - 90_000 + 900 * number) & 0xFFFFFFFF,
        "payload": bytes.fromhex("1000") + bytes(50),
    }
    defaults["extensions"] = {3: ((65500 + number) & 0xFFFF).to_bytes(2, "big")}
    return bytes(rtp.RtpPacket(**(defaults | fields)))


def feedback(first, arrivals_us):
    return bytes(Twcc(1, 0xA, (65500 + first) & 0xFFFF, arrivals_us))


LOST, DOUBLED, LATE = {10, 11, 50}, {20, 60}, {30}
START_US = 1_000_000_000


def known_call():
    events = []
    for number in range(100):
        time_us = START_US + 10_000 * number + (15_000 if number in LATE else 0)
        if number not in LOST:
            events.append((time_us, datagram(media(number))))
        if number in DOUBLED:
            events.append((time_us + 1, datagram(media(number))))
    for number in (10, 50):  # 11 never comes
        packet = media(
            number, payload_type=97, ssrc=0xB, sequence_number=number, extensions={},
            payload=((65500 + number) & 0xFFFF).to_bytes(2, "big") + bytes(52),
        )  # fmt: skip
        events.append((START_US + 10_000 * number + 5_000, datagram(packet)))
    # the receiver's clock is 7 s behind; every tenth packet takes 30 ms longer
    delay_us = {n: -7_000_000 + START_US % 64_000 + (30_000 if n % 10 == 0 else 0) for n in range(100)}
    for first in range(0, 100, 25):
        arrivals = [
            None if n in LOST else START_US + 10_000 * n + (15_000 if n in LATE else 0) + delay_us[n]
            for n in range(first, first + 25)
        ]
        receiver_report = bytes.fromhex("80c9000100000001")
        events.append(
            (START_US + 1_100_000 + first, datagram(receiver_report + feedback(first, arrivals), (6000, 5000), True))
        )
    return pcap_of(events)


DESCRIPTION = Description({96: Codec("video/VP8", 90_000), 97: Codec("video/rtx", 90_000)}, {3: TRANSPORT_CC, 4: MID})


def test_a_call_whose_numbers_are_known():
    report = inspect_capture(capture.parse(known_call()), DESCRIPTION)
    stream, repair = sorted(report.streams, key=lambda s: s.ssrc)
    assert (stream.packets, stream.lost, stream.duplicates, stream.reordered) == (99, 3, 2, 1)
    assert (stream.recovered, repair.rtx_of, repair.packets) == (2, 0xA, 2)
    assert (stream.source, stream.destination) == ("192.0.2.1:5000", "198.51.100.7:6000")
    assert (stream.frames, stream.mid, report.rtcp, report.other) == (97, None, 4, 0)
    assert stream.duration_us == report.duration_us == 990_000


def test_delays_that_feedback_tells():
    (told,) = inspect_capture(capture.parse(known_call()), DESCRIPTION).feedback
    assert (told.sender, told.packets, told.lost) == ("192.0.2.1:5000", 4, 3)
    assert told.received == 97
    delays = dict(told.delays_us)
    for number in set(range(100)) - LOST:
        time_us = START_US + 10_000 * number + (15_000 if number in LATE else 0)
        if number not in DOUBLED:  # the later one counts
            assert abs(delays[time_us] - (30_000 if number % 10 == 0 else 0)) <= 250
    assert told.max_us == pytest.approx(30_000, abs=250)
    assert told.median_us <= 250


def test_without_the_extensions_id_there_is_no_delay():
    assert inspect_capture(capture.parse(known_call())).feedback == []


def test_nothing_in_it():
    report = inspect_capture(capture.parse(files.pcap([])))
    assert (report.streams, report.feedback, report.duration_us) == ([], [], 0)
    report = inspect_capture(capture.parse(pcap_of([(0, datagram(b"x")), (1, datagram(b""))])))
    assert (report.streams, report.other) == ([], 2)


def test_static_payload_types_have_their_clock():
    packets = [(20_000 * i, datagram(media(i, payload_type=0, timestamp=160 * i))) for i in range(100)]
    (stream,) = inspect_capture(capture.parse(pcap_of(packets))).streams
    assert (stream.clock_rate, stream.jitter_ms) == (8000, 0)


def test_one_ssrc_between_other_addresses_is_another_stream():
    events = [(i, datagram(media(i), (5000 + i % 2, 6000))) for i in range(10)]
    report = inspect_capture(capture.parse(pcap_of(events)))
    assert [(s.packets, s.source) for s in report.streams] == [(5, "192.0.2.1:5000"), (5, "192.0.2.1:5001")]
