"""Header extensions of a few bytes: vectors by the formats' descriptions, and every value there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import header_extensions as ext

# type, bytes, value; the bytes are laid out by hand after the documents
VECTORS = [
    (ext.AudioLevel, "85", ext.AudioLevel(5, True)),
    (ext.AudioLevel, "7f", ext.AudioLevel(127, False)),
    (ext.AbsSendTime, "040000", ext.AbsSendTime(1 << 18)),  # one second
    (ext.AbsSendTime, "ffffff", ext.AbsSendTime(0xFFFFFF)),
    (ext.AbsCaptureTime, "83aa7e8080000000", ext.AbsCaptureTime(0x83AA7E8080000000)),  # half a second into 1970
    (ext.AbsCaptureTime, "0000000000000001ffffffff80000000", ext.AbsCaptureTime(1, -(1 << 31))),
    (ext.TransportCc02, "0102", ext.TransportCc02(0x0102)),
    (ext.TransportCc02, "ffff8001", ext.TransportCc02(0xFFFF, ext.FeedbackRequest(1, True))),
    (ext.TransportCc02, "00007fff", ext.TransportCc02(0, ext.FeedbackRequest(32767, False))),
    (ext.VideoOrientation, "00", ext.VideoOrientation(0)),
    (ext.VideoOrientation, "0b", ext.VideoOrientation(270, back_camera=True)),
    (ext.VideoOrientation, "05", ext.VideoOrientation(90, flip=True)),
    (ext.PlayoutDelay, "001002", ext.PlayoutDelay(10, 20)),
    (ext.PlayoutDelay, "ffffff", ext.PlayoutDelay(40950, 40950)),
    (ext.PlayoutDelay, "000fff", ext.PlayoutDelay(0, 40950)),
    (ext.VideoContentType, "00", ext.VideoContentType.UNSPECIFIED),
    (ext.VideoContentType, "01", ext.VideoContentType.SCREENSHARE),
    (ext.VideoTiming, "0100010002000300040005ffff", ext.VideoTiming(1, 1, 2, 3, 4, 5, 65535)),
]


@pytest.mark.parametrize("of, data, value", VECTORS, ids=lambda x: x if isinstance(x, str) else "")
def test_vector(of, data, value):
    assert of.parse(bytes.fromhex(data)) == value
    assert bytes(value) == bytes.fromhex(data)
    assert hash(value) == hash(of.parse(bytes.fromhex(data)))


SIZES = {
    ext.AudioLevel: {1},
    ext.AbsSendTime: {3},
    ext.AbsCaptureTime: {8, 16},
    ext.TransportCc02: {2, 4},
    ext.VideoOrientation: {1},
    ext.PlayoutDelay: {3},
    ext.VideoContentType: {1},
    ext.VideoTiming: {12, 13},
}


@pytest.mark.parametrize("of", SIZES)
def test_sizes(of):
    for size in range(30):
        if size in SIZES[of]:
            of.parse(bytes(size))
        else:
            with pytest.raises(ValueError, match="bytes, not"):
                of.parse(bytes(size))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ext.AudioLevel(-1),
        lambda: ext.AudioLevel(128),
        lambda: ext.AbsSendTime(1 << 24),
        lambda: ext.AbsSendTime(-1),
        lambda: ext.AbsCaptureTime(1 << 64),
        lambda: ext.AbsCaptureTime(0, 1 << 63),
        lambda: ext.AbsCaptureTime.of(-ext.values.NTP_EPOCH_S * 1_000_000 - 1),
        lambda: ext.FeedbackRequest(0),
        lambda: ext.FeedbackRequest(32768),
        lambda: ext.TransportCc02(65536),
        lambda: ext.VideoOrientation(45),
        lambda: ext.PlayoutDelay(0, 40960),
        lambda: ext.PlayoutDelay(0, 15),
        lambda: ext.PlayoutDelay(20, 10),
        lambda: ext.PlayoutDelay.parse(bytes.fromhex("002001")),
        lambda: ext.VideoContentType.parse(b"\x40"),
        lambda: ext.VideoTiming(256, 0, 0, 0, 0),
        lambda: ext.VideoTiming(0, 0, 65536, 0, 0),
    ],
)
def test_out_of_range(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize("value", [value for _, _, value in VECTORS if not isinstance(value, int)])
def test_values_are_frozen(value):
    with pytest.raises(AttributeError):
        setattr(value, value.__struct_fields__[0], 0)


@given(st.integers(0, 2**50))
def test_send_time_comes_round_every_64_s(now_us):
    error = (ext.AbsSendTime.of(now_us).time_us - now_us) % 64_000_000
    assert min(error, 64_000_000 - error) <= 3  # half of 1/2**18 s, and the rounding down


@given(st.integers(0, 2**51), st.none() | st.integers(-(2**50), 2**50))
def test_capture_time_to_the_microsecond(unix_us, offset_us):
    try:
        value = ext.AbsCaptureTime.of(unix_us, offset_us)
    except ValueError:  # NTP's first era ends in 2036
        assert unix_us >= (2**32 - ext.values.NTP_EPOCH_S) * 1_000_000
        return
    assert value.unix_us == unix_us
    assert value.clock_offset_us == offset_us


def test_a_request_for_no_packets_is_none():
    assert ext.TransportCc02.parse(b"\0\1\x80\0") == ext.TransportCc02(1)


def test_old_senders_bits_of_the_content_type_do_not_count():
    assert ext.VideoContentType.parse(b"\x3f") is ext.VideoContentType.SCREENSHARE
    assert ext.VideoContentType.parse(b"\x3e") is ext.VideoContentType.UNSPECIFIED


def test_video_timing_without_flags():
    assert ext.VideoTiming.parse(bytes.fromhex("000100020003000400050006")) == ext.VideoTiming(0, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("of, bits", [(ext.AudioLevel, 0xFF), (ext.VideoOrientation, 0x0F)])
def test_every_byte(of, bits):
    for byte in range(256):
        assert bytes(of.parse(bytes([byte]))) == bytes([byte & bits])


@given(st.sampled_from(sorted(SIZES, key=str)), st.binary(max_size=17))
def test_any_bytes(of, data):
    try:
        value = of.parse(data)
    except ValueError:
        return
    assert of.parse(bytes(value)) == value
