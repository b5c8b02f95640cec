"""Values of the header extensions that tell about time, sound, orientation and feedback.

They are frozen; a value out of range, or bytes that are no value, are a ValueError.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from msgspec import Struct

from mediarouter._rtp_numbers import abs_send_time

NTP_EPOCH_S = 2_208_988_800  # seconds from 1900, where NTP begins, to 1970 (RFC 868)


def check_range(name: str, value: int, lowest: int, largest: int) -> None:
    """Raises ValueError when a number is out of its range."""
    if not lowest <= value <= largest:
        raise ValueError(f"{name} must be {lowest}..{largest}")


def check_size(name: str, data: bytes, *sizes: int) -> None:
    """Raises ValueError when an element has none of these sizes."""
    if len(data) not in sizes:
        raise ValueError(f"{name} has {' or '.join(map(str, sizes))} bytes, not {len(data)}")


class AudioLevel(Struct, frozen=True):
    """Loudness of an audio packet (RFC 6464 section 3).

    Attributes:
        level: -dBov, 0 (loudest) to 127 (silence).
        voice: the encoder believes that someone speaks.
    """

    level: int
    voice: bool = False

    def __post_init__(self) -> None:
        check_range("level", self.level, 0, 127)

    @classmethod
    def parse(cls, data: bytes) -> AudioLevel:
        """Read an element's value. Raises ValueError when it is none."""
        check_size("audio level", data, 1)
        return cls(data[0] & 0x7F, data[0] >= 0x80)

    def __bytes__(self) -> bytes:
        return bytes([self.level | (0x80 if self.voice else 0)])


class AbsSendTime(Struct, frozen=True):
    """When the packet was sent, by the sender's clock (webrtc.org/experiments/rtp-hdrext/abs-send-time).

    Attributes:
        value: seconds as 6.18 fixed point, 24 bits; it comes round every 64 s.
    """

    value: int

    def __post_init__(self) -> None:
        check_range("abs-send-time", self.value, 0, 0xFFFFFF)

    @classmethod
    def of(cls, now_us: int) -> AbsSendTime:
        """Of a time in microseconds, to the nearest."""
        return cls(abs_send_time(now_us))

    @property
    def time_us(self) -> int:
        """0..63999999, rounded down."""
        return self.value * 1_000_000 >> 18

    @classmethod
    def parse(cls, data: bytes) -> AbsSendTime:
        """Read an element's value. Raises ValueError when it is none."""
        check_size("abs-send-time", data, 3)
        return cls(int.from_bytes(data, "big"))

    def __bytes__(self) -> bytes:
        return self.value.to_bytes(3, "big")


class AbsCaptureTime(Struct, frozen=True):
    """When the first frame of the packet was captured (webrtc.org/experiments/rtp-hdrext/abs-capture-time).

    Attributes:
        ntp: capture time by the capturer's clock, NTP's 32.32 fixed point, 64 bits.
        clock_offset: how far the capturer's clock is ahead of the sender's, signed 32.32; None: not told.
    """

    ntp: int
    clock_offset: int | None = None

    def __post_init__(self) -> None:
        check_range("abs-capture-time", self.ntp, 0, 2**64 - 1)
        if self.clock_offset is not None:
            check_range("clock offset", self.clock_offset, -(2**63), 2**63 - 1)

    @classmethod
    def of(cls, unix_us: int, clock_offset_us: int | None = None) -> AbsCaptureTime:
        """Of a time in microseconds since 1970."""
        offset = None if clock_offset_us is None else (clock_offset_us << 32) // 1_000_000
        return cls(((unix_us + NTP_EPOCH_S * 1_000_000) << 32) // 1_000_000, offset)

    @property
    def unix_us(self) -> int:
        """Microseconds since 1970, to the nearest."""
        return (self.ntp * 1_000_000 + (1 << 31) >> 32) - NTP_EPOCH_S * 1_000_000

    @property
    def clock_offset_us(self) -> int | None:
        """Microseconds, to the nearest."""
        return None if self.clock_offset is None else self.clock_offset * 1_000_000 + (1 << 31) >> 32

    @classmethod
    def parse(cls, data: bytes) -> AbsCaptureTime:
        """Read an element's value, in its short or its extended form. Raises ValueError when it is none."""
        check_size("abs-capture-time", data, 8, 16)
        ntp = int.from_bytes(data[:8], "big")
        return cls(ntp, int.from_bytes(data[8:], "big", signed=True) if len(data) == 16 else None)

    def __bytes__(self) -> bytes:
        offset = b"" if self.clock_offset is None else self.clock_offset.to_bytes(8, "big", signed=True)
        return self.ntp.to_bytes(8, "big") + offset


class FeedbackRequest(Struct, frozen=True):
    """What feedback the sender asks for at once.

    Attributes:
        sequence_count: how many transport-wide numbers, the packet's own the last of them; 1..32767.
        include_timestamps: with arrival times.
    """

    sequence_count: int
    include_timestamps: bool = False

    def __post_init__(self) -> None:
        check_range("sequence_count", self.sequence_count, 1, 0x7FFF)


class TransportCc02(Struct, frozen=True):
    """Transport-wide number, feedback on request (webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02).

    Attributes:
        sequence_number: 16 bits.
        feedback_request: None: no feedback is asked for.
    """

    sequence_number: int
    feedback_request: FeedbackRequest | None = None

    def __post_init__(self) -> None:
        check_range("transport-wide sequence number", self.sequence_number, 0, 0xFFFF)

    @classmethod
    def parse(cls, data: bytes) -> TransportCc02:
        """Read an element's value; a request for no packets is none. Raises ValueError when it is none."""
        check_size("transport-cc-02", data, 2, 4)
        asked = int.from_bytes(data[2:], "big")
        request = FeedbackRequest(asked & 0x7FFF, asked >= 0x8000) if asked & 0x7FFF else None
        return cls(int.from_bytes(data[:2], "big"), request)

    def __bytes__(self) -> bytes:
        number = self.sequence_number.to_bytes(2, "big")
        request = self.feedback_request
        if request is None:
            return number
        return number + (request.sequence_count | (0x8000 if request.include_timestamps else 0)).to_bytes(2, "big")


class VideoOrientation(Struct, frozen=True):
    """How the picture must be turned to be seen upright: CVO (3GPP TS 26.114 section 7.4.5).

    Attributes:
        rotation: clockwise, 0, 90, 180 or 270 degrees.
        flip: mirror it horizontally, before turning.
        back_camera: it comes from the camera that faces away from the user.
    """

    rotation: int
    flip: bool = False
    back_camera: bool = False

    def __post_init__(self) -> None:
        if self.rotation not in (0, 90, 180, 270):
            raise ValueError("rotation must be 0, 90, 180 or 270")

    @classmethod
    def parse(cls, data: bytes) -> VideoOrientation:
        """Read an element's value. Raises ValueError when it is none."""
        check_size("video orientation", data, 1)
        return cls((data[0] & 3) * 90, bool(data[0] & 4), bool(data[0] & 8))

    def __bytes__(self) -> bytes:
        return bytes([(8 if self.back_camera else 0) | (4 if self.flip else 0) | self.rotation // 90])


class PlayoutDelay(Struct, frozen=True):
    """Bounds for the receiver's delay from capture to screen (webrtc.org/experiments/rtp-hdrext/playout-delay).

    Attributes:
        min_ms: 0..40950, a multiple of 10.
        max_ms: not below `min_ms`, 0..40950, a multiple of 10.
    """

    min_ms: int
    max_ms: int

    def __post_init__(self) -> None:
        for name, value in (("min_ms", self.min_ms), ("max_ms", self.max_ms)):
            check_range(name, value, 0, 40950)
            if value % 10:
                raise ValueError(f"{name} must be a multiple of 10")
        if self.min_ms > self.max_ms:
            raise ValueError("min_ms must not be above max_ms")

    @classmethod
    def parse(cls, data: bytes) -> PlayoutDelay:
        """Read an element's value. Raises ValueError when it is none."""
        check_size("playout delay", data, 3)
        both = int.from_bytes(data, "big")
        return cls((both >> 12) * 10, (both & 0xFFF) * 10)

    def __bytes__(self) -> bytes:
        return (self.min_ms // 10 << 12 | self.max_ms // 10).to_bytes(3, "big")


class VideoContentType(IntEnum):
    """What is filmed (webrtc.org/experiments/rtp-hdrext/video-content-type)."""

    UNSPECIFIED = 0
    SCREENSHARE = 1

    @classmethod
    def parse(cls, data: bytes) -> VideoContentType:
        """Read an element's value: its lowest bit, since old senders use the five above it for something else.

        Raises:
            ValueError: it is none.
        """
        check_size("video content type", data, 1)
        if data[0] > 0x3F:
            raise ValueError(f"video content type {data[0]} is unknown")
        return cls(data[0] & 1)

    def __bytes__(self) -> bytes:
        return bytes([self.value])


_TIMING = struct.Struct("!B6H")


class VideoTiming(Struct, frozen=True):
    """How long a frame took on its way (webrtc.org/experiments/rtp-hdrext/video-timing). Times are milliseconds since
    the frame's capture, 0..65535; 0 where nobody has noted one yet.

    Attributes:
        flags: 8 bits: 1, sent because a timer said so; 2, because the frame is large; 255, invalid.
        network_ms: when a node in the network received it.
        network2_ms: when the next one did.
    """

    flags: int
    encode_start_ms: int
    encode_finish_ms: int
    packetization_finish_ms: int
    pacer_exit_ms: int
    network_ms: int = 0
    network2_ms: int = 0

    def __post_init__(self) -> None:
        check_range("flags", self.flags, 0, 255)
        for name, value in zip(self.__struct_fields__[1:], self._times(), strict=True):
            check_range(name, value, 0, 0xFFFF)

    def _times(self) -> tuple[int, ...]:
        return (
            self.encode_start_ms,
            self.encode_finish_ms,
            self.packetization_finish_ms,
            self.pacer_exit_ms,
            self.network_ms,
            self.network2_ms,
        )

    @classmethod
    def parse(cls, data: bytes) -> VideoTiming:
        """Read an element's value; the old form of 12 bytes has no flags. Raises ValueError when it is none."""
        check_size("video timing", data, 12, 13)
        return cls(*_TIMING.unpack(bytes(data) if len(data) == 13 else b"\0" + data))

    def __bytes__(self) -> bytes:
        return _TIMING.pack(self.flags, *self._times())
