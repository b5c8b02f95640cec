"""The protobuf wire format, as far as a few small messages need it: varints and length-delimited fields.

A message is fields by number; what they mean is known by who reads them.
"""

from collections.abc import Sequence

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
Fields = dict[int, list[int | bytes]]


class MalformedError(ValueError):
    """Bytes that are no message."""


def encode(fields: Sequence[tuple[int, int | str | bytes]]) -> bytes:
    """A message of these numbers and values; text as UTF-8, messages within as their bytes.

    Raises:
        ValueError: a number is not 1 or more, or a value is negative.
    """
    out = bytearray()
    for number, value in fields:
        if number < 1:
            raise ValueError(f"no field has the number {number}")
        if isinstance(value, int):
            out += _varint(number << 3 | VARINT) + _varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += _varint(number << 3 | DELIMITED) + _varint(len(data)) + data
    return bytes(out)


def decode(data: bytes) -> Fields:
    """Values of a message by number, in order: int of a varint, bytes of every other kind.

    Raises:
        MalformedError: it is cut, or has a field of no kind.
    """
    fields: Fields = {}
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        value: int | bytes
        if kind == VARINT:
            value, at = _read_varint(data, at)
        elif kind == DELIMITED or kind in FIXED_SIZES:
            size = FIXED_SIZES.get(kind)
            if size is None:
                size, at = _read_varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise MalformedError(f"field {number} has kind {kind}")
        if at > len(data) or number == 0:
            raise MalformedError("a field is cut, or has no number")
        fields.setdefault(number, []).append(value)
    return fields


def text_of(fields: Fields, number: int) -> str:
    """The last value of a text field, "" when there is none (it is the default).

    Raises:
        MalformedError: it is no text.
    """
    value = fields.get(number, [b""])[-1]
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        raise MalformedError(f"field {number} is no text") from None


def message_of(fields: Fields, number: int) -> Fields:
    """The last message in a field, empty when there is none.

    Raises:
        MalformedError: it is none.
    """
    value = fields.get(number, [b""])[-1]
    if not isinstance(value, bytes):
        raise MalformedError(f"field {number} is no message")
    return decode(value)


def _varint(value: int) -> bytes:
    if value < 0:
        raise ValueError(f"{value} is negative")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise MalformedError("a number is cut")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise MalformedError("a number has more than ten bytes")
