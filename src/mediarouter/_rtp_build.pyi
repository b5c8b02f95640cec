from collections.abc import Iterable, Mapping

from typing_extensions import Buffer

def build(
    *,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    marker: bool = False,
    csrc: Iterable[int] = (),
    extensions: Mapping[int, Buffer] | None = None,
    extension_profile: int | None = None,
    extension_data: Buffer = b"",
    payload: Buffer = b"",
    padding_size: int = 0,
) -> bytes: ...
