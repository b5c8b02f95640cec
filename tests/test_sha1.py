"""SHA-1 and HMAC-SHA1 against the vectors of their RFCs and against hashlib."""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import _sha1


@pytest.fixture(params=[True, False], ids=["by hardware, if there", "without"], autouse=True, scope="module")
def _hardware(request: pytest.FixtureRequest) -> Iterator[None]:
    _sha1.use_hardware(request.param)
    yield
    _sha1.use_hardware(True)


RFC_3174 = [
    (b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
    (b"a" * 1_000_000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
    (
        b"0123456701234567012345670123456701234567012345670123456701234567" * 10,
        "dea356a2cddd90c7a7ecedc5ebb563934f460452",
    ),
]
RFC_2202 = [
    (b"\x0b" * 20, b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
    (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    (b"\xaa" * 20, b"\xdd" * 50, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
    (bytes(range(1, 26)), b"\xcd" * 50, "4c9007f4026250c6bc8414f9bf50c86c2d7235da"),
    (
        b"\xaa" * 80,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "aa4ae5e15272d00e95705637ce8a3b55ed402112",
    ),
    (
        b"\xaa" * 80,
        b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
        "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
    ),
]


@pytest.mark.parametrize(("data", "digest"), RFC_3174)
def test_rfc_3174_vectors(data: bytes, digest: str) -> None:
    assert _sha1.sha1(data).hex() == digest


@pytest.mark.parametrize(("key", "data", "digest"), RFC_2202)
def test_rfc_2202_vectors(key: bytes, data: bytes, digest: str) -> None:
    assert _sha1.hmac_sha1(key, data).hex() == digest


def test_every_size_around_the_blocks_agrees_with_hashlib() -> None:
    data = bytes(i * 7 & 0xFF for i in range(300))
    for size in range(len(data)):
        assert _sha1.sha1(data[:size]) == hashlib.sha1(data[:size]).digest()
        assert _sha1.hmac_sha1(data[:size], data[size:]) == hmac.digest(data[:size], data[size:], "sha1")


@given(st.binary(max_size=100), st.lists(st.binary(max_size=150), max_size=6))
def test_updates_in_any_pieces_agree_with_hashlib(key: bytes, parts: list[bytes]) -> None:
    whole = b"".join(parts)
    assert _sha1.sha1(*parts) == hashlib.sha1(whole).digest()
    assert _sha1.hmac_sha1(key, *parts) == hmac.digest(key, whole, "sha1")


def test_the_hardware_is_found_where_linux_finds_it() -> None:
    flags = next((line.split() for line in Path("/proc/cpuinfo").read_text().splitlines() if line[:5] == "flags"), [])
    was = _sha1.use_hardware(True)
    assert was == ("sha_ni" in flags)
    assert not _sha1.use_hardware(False)
