"""`ExtensionMap`: what browsers really sent, read by name; aiortc as the judge of those that it knows."""

import dpkt
import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensions as JudgedExtensions
from aiortc.rtp import HeaderExtensionsMap, unpack_header_extensions
from fuzz import header_extensions as fuzz_header_extensions
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import header_extensions as ext
from mediarouter import parameters, rtp
from mediarouter.header_extensions.extension_map import EXTENSIONS
from mediarouter.sdp import SessionDescription, read_extmaps
from tests.rtp_vectors import CAPTURES, VECTORS, captured

# aiortc's name for each that it knows, and how our value looks there
JUDGED = {
    "mid": ("mid", lambda value: value),
    "rid": ("rtp_stream_id", lambda value: value),
    "repaired_rid": ("repaired_rtp_stream_id", lambda value: value),
    "audio_level": ("audio_level", lambda value: value and (value.voice, value.level)),
    "abs_send_time": ("abs_send_time", lambda value: value and value.value),
    "transport_cc": ("transport_sequence_number", lambda value: value),
    "toffset": ("transmission_offset", lambda value: value),
}


def extmap_of(capture):
    """What was negotiated for a capture; one map for all its media, since its sections are bundled."""
    answer = SessionDescription.parse((VECTORS / "answers" / f"{capture.stem}.txt").read_text())
    return ext.ExtensionMap({e.id: e.uri for media in answer.media for e in read_extmaps(media)})


def judge_of(extmap):
    judge = HeaderExtensionsMap()
    extensions = [RTCRtpHeaderExtensionParameters(id=i, uri=uri) for i, uri in extmap.uri_of.items()]
    judge.configure(RTCRtpParameters(headerExtensions=extensions))
    return judge


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_browsers_packets(capture):
    extmap = extmap_of(capture)
    judge = judge_of(extmap)
    for data in captured(capture):
        header = rtp.parse(data)
        found = extmap.read(header)
        assert found.malformed == () and found.other == {}
        assert extmap.write(found) == header.extensions
        judged = judge.get(header.extension_profile, header.extension_data)
        for name, (its_name, form) in JUDGED.items():
            assert form(getattr(found, name)) == getattr(judged, its_name), name
        assert extmap.read(rtp.RtpPacket.parse(data)) == found


def values_of(name, stem):
    extmap = extmap_of(VECTORS / f"{stem}.pcap")
    found = (getattr(extmap.read(rtp.parse(data)), name) for data in captured(VECTORS / f"{stem}.pcap"))
    return [value for value in found if value is not None]


def test_what_chromium_tells_of_its_layers():
    allocations = values_of("video_layers_allocation", "rtp_chromium_vp8sim")
    assert {a.stream for a in allocations} <= {0, 1, 2}
    last = max(allocations, key=lambda a: len(a.layers))
    assert [(x.stream, x.resolution.width, x.resolution.height) for x in last.layers] == [
        (0, 320, 180),
        (1, 640, 360),
        (2, 1280, 720),
    ]
    svc = max(values_of("video_layers_allocation", "rtp_chromium_vp9svc"), key=lambda a: len(a.layers))
    assert [(x.spatial_layer, len(x.bitrates_kbps)) for x in svc.layers] == [(0, 3), (1, 3), (2, 3)]


def test_what_chromium_tells_of_its_streams():
    assert set(values_of("mid", "rtp_chromium_vp8sim")) == {"0", "1"}
    assert set(values_of("rid", "rtp_chromium_vp8sim")) == {"q", "h", "f"}
    assert values_of("dependency_descriptor", "rtp_chromium_av1svc")
    levels = values_of("audio_level", "rtp_chromium_audiored")
    assert levels and all(0 <= x.level <= 127 for x in levels)


def test_send_times_follow_the_capture_clock():
    path = VECTORS / "rtp_chromium_vp8sim_nodd.pcap"
    extmap = extmap_of(path)
    with path.open("rb") as file:
        frames = [(time, dpkt.ip.IP(frame).data) for time, frame in dpkt.pcap.Reader(file)]
    pairs = [(time, extmap.read(rtp.parse(bytes(u.data))).abs_send_time) for time, u in frames if u.dport == 5004]
    (first, start), (last, end) = pairs[0], pairs[-1]
    assert abs((end.time_us - start.time_us) % 64_000_000 - (last - first) * 1e6) < 50_000


# one good value of each kind
VALUES = {
    ext.MID: "audio-0",
    ext.RID: "f",
    ext.REPAIRED_RID: "h_1",
    ext.AUDIO_LEVEL: ext.AudioLevel(17, True),
    ext.MIXER_AUDIO_LEVEL: (0, 127, 5),
    ext.ABS_SEND_TIME: ext.AbsSendTime(0x123456),
    ext.ABS_CAPTURE_TIME: ext.AbsCaptureTime.of(1_700_000_000_000_000, -5000),
    ext.TRANSPORT_CC: 0xFFFF,
    ext.TRANSPORT_CC_02: ext.TransportCc02(1, ext.FeedbackRequest(5)),
    ext.VIDEO_ORIENTATION: ext.VideoOrientation(90),
    ext.TOFFSET: -(1 << 23),
    ext.PLAYOUT_DELAY: ext.PlayoutDelay(0, 400),
    ext.VIDEO_CONTENT_TYPE: ext.VideoContentType.SCREENSHARE,
    ext.VIDEO_TIMING: ext.VideoTiming(1, 2, 3, 4, 5),
    ext.COLOR_SPACE: ext.ColorSpace(1, 1, 1),
    ext.VIDEO_LAYERS_ALLOCATION: ext.VideoLayersAllocation(0, 1, (ext.AllocatedLayer(0, 0, (250,)),)),
    ext.DEPENDENCY_DESCRIPTOR: b"\x80\x00\x01",
}
EVERYTHING = ext.ExtensionMap(dict(enumerate(VALUES, 1)))


def everything():
    return ext.HeaderExtensions(**{EXTENSIONS[uri].name: value for uri, value in VALUES.items()}, other={200: b"x"})


def test_every_kind_has_a_value_here():
    assert set(VALUES) == set(EXTENSIONS)
    assert parameters.EXTENSION_KINDS.keys() <= EXTENSIONS.keys()


def test_all_of_them_through_a_packet():
    packet = rtp.RtpPacket(payload_type=96, sequence_number=1, timestamp=2, ssrc=3)
    packet.extensions = EVERYTHING.write(everything())
    assert EVERYTHING.read(rtp.parse(bytes(packet))) == everything()


@pytest.mark.parametrize("uri", VALUES)
def test_one_value(uri):
    data = ext.build(uri, VALUES[uri])
    assert ext.parse(uri, data) == VALUES[uri]
    assert ext.parse(uri, bytearray(data)) == VALUES[uri]


@pytest.mark.parametrize("uri", VALUES)
@given(st.data())
def test_any_bytes(uri, data):
    element = data.draw(st.binary(max_size=30))
    try:
        value = ext.parse(uri, element)
    except ValueError:
        return
    assert ext.parse(uri, ext.build(uri, value)) == value


def test_malformed_values_hide_no_others():
    elements = {**EVERYTHING.write(everything()), 1: b"\xff", 9: b"123"}
    packet = rtp.RtpPacket(payload_type=96, sequence_number=1, timestamp=2, ssrc=3, extensions=elements)
    found = EVERYTHING.read(packet)
    assert found.malformed == ("mid", "transport_cc_02")
    assert (found.mid, found.transport_cc_02, found.rid) == (None, None, "f")


def test_identifiers_filled_up_with_zeros():
    assert ext.parse(ext.MID, b"video\0\0\0") == "video"
    for wrong in (b"", b"\0", b"a b", b"a\0b", b"\xc3\xa9", b"x" * 256):
        with pytest.raises(ValueError):
            ext.parse(ext.RID, wrong)


@pytest.mark.parametrize(
    "uri, value",
    [
        (ext.MID, ""),
        (ext.MID, "é"),
        (ext.RID, "a.b"),
        (ext.TRANSPORT_CC, 65536),
        (ext.TOFFSET, 1 << 23),
        (ext.MIXER_AUDIO_LEVEL, (128,)),
        (ext.MIXER_AUDIO_LEVEL, (0,) * 16),
        (ext.DEPENDENCY_DESCRIPTOR, b""),
    ],
)
def test_values_that_cannot_be_written(uri, value):
    with pytest.raises(ValueError):
        ext.build(uri, value)


def test_map_of_parameters_and_of_capabilities():
    negotiated = (parameters.RtpHeaderExtensionParameters(ext.MID, 4), parameters.RtpHeaderExtensionParameters("x", 9))
    extmap = ext.ExtensionMap.of(parameters.RtpParameters(codecs=(), header_extensions=negotiated))
    assert extmap.uri_of == ext.ExtensionMap.of(negotiated).uri_of == {4: ext.MID, 9: "x"}
    assert (extmap.id_of(ext.MID), extmap.id_of(ext.RID)) == (4, None)
    assert ext.ExtensionMap.of([parameters.RtpHeaderExtension("audio", ext.MID, 3)]).uri_of == {3: ext.MID}
    assert "sdes:mid" in repr(extmap)


def test_map_refuses():
    for wrong in (0, 256):
        with pytest.raises(ValueError):
            ext.ExtensionMap({wrong: ext.MID})
    with pytest.raises(ValueError, match="rid was not negotiated"):
        ext.ExtensionMap({1: ext.MID}).write(ext.HeaderExtensions(rid="f"))
    with pytest.raises(ValueError, match="has a name"):
        ext.ExtensionMap({1: ext.MID}).write(ext.HeaderExtensions(other={1: b"x"}))
    with pytest.raises(KeyError):
        ext.parse("x", b"")


def test_aiortc_reads_what_is_written():
    """All that it knows but toffset, which aiortc writes with two bytes of three and reads as we do."""
    known = ext.HeaderExtensions(
        mid="0", rid="f", repaired_rid="h", audio_level=ext.AudioLevel(3, True), abs_send_time=ext.AbsSendTime(77),
        transport_cc=5, toffset=-9,
    )  # fmt: skip
    packet = rtp.RtpPacket(payload_type=96, sequence_number=1, timestamp=2, ssrc=3)
    packet.extensions = EVERYTHING.write(known)
    header = rtp.parse(bytes(packet))
    judge = judge_of(EVERYTHING)
    judged = judge.get(header.extension_profile, header.extension_data)
    for name, (its_name, form) in JUDGED.items():
        assert form(getattr(known, name)) == getattr(judged, its_name)
    profile, block = judge.set(JudgedExtensions(mid="0", audio_level=(True, 3), abs_send_time=77))
    written = EVERYTHING.write(
        ext.HeaderExtensions(mid="0", audio_level=known.audio_level, abs_send_time=known.abs_send_time)
    )
    assert dict(unpack_header_extensions(profile, block)) == written


def test_the_fuzz_targets_seeds():
    for seed in fuzz_header_extensions.seeds():
        fuzz_header_extensions.fuzz_one(seed)
