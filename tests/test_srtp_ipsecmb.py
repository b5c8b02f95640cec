"""Vectors of RFC 3711, RFC 6188, RFC 7714 and RFC 9335 against our SRTP, and what cryptex promises beyond them."""

import json
from pathlib import Path

import pytest

from mediarouter import _srtp_crypto, _srtp_ipsecmb
from mediarouter.srtp import Profile, SrtpError, SrtpSession
from tests.srtp_packets import key_of, rtp

VECTORS = json.loads((Path(__file__).parent / "vectors" / "srtp_rfc.json").read_text())
CRYPTEX = [(suite, name) for suite in ("AES-CTR", "AES-GCM") for name in VECTORS["rfc9335"][suite]["packets"]]


def unhex(text):
    return bytes.fromhex(text)


@pytest.mark.parametrize("name", VECTORS["keystream"])
def test_keystream(name):
    """RFC 3711 appendix B.2, RFC 6188 section 7.1."""
    vector = VECTORS["keystream"][name]
    for first, blocks in vector["blocks"].items():
        iv = (int(vector["iv"], 16) + int(first, 16)).to_bytes(16)
        assert _srtp_crypto.keystream(unhex(vector["key"]), iv, len(blocks) // 2) == unhex(blocks)


@pytest.mark.parametrize("name", VECTORS["derivation"])
def test_key_derivation(name):
    """RFC 3711 appendix B.3, RFC 6188 section 7.2."""
    vector = VECTORS["derivation"][name]
    keys = _srtp_crypto.derive(vector["profile"], unhex(vector["key"] + vector["salt"]))
    assert keys["rtp_key"].hex() == vector["cipher_key"]
    assert keys["rtp_salt"].hex() == vector["cipher_salt"]
    assert keys["rtp_auth"].hex() == vector["auth_key"]


@pytest.mark.parametrize("name", VECTORS["rfc7714"])
def test_gcm_packets(name):
    """RFC 7714 sections 16 and 17; these state session keys. Those with a tag alone are never made here: SRTCP of that
    kind is taken, RTP is refused, since the profiles of section 14.2 encrypt it."""
    vector = VECTORS["rfc7714"][name]
    profile = Profile.AEAD_AES_128_GCM if len(vector["key"]) == 32 else Profile.AEAD_AES_256_GCM
    key, salt, index = unhex(vector["key"]), unhex(vector["salt"]), vector["index"]
    plain, protected = unhex(vector["plain"]), unhex(vector["protected"])
    if vector["encrypted"]:
        assert _srtp_ipsecmb.with_session_keys(profile, key, salt, plain, index) == protected
    opened = _srtp_ipsecmb.with_session_keys(profile, key, salt, protected, index, inbound=True)
    assert opened == (plain if vector["encrypted"] or index else b"")


def test_a_door_takes_gcm_only():
    with pytest.raises(ValueError):
        _srtp_ipsecmb.with_session_keys(Profile.AES128_CM_SHA1_80, bytes(16), bytes(14), rtp(1), 0)


def cryptex_pair(suite):
    vector = VECTORS["rfc9335"][suite]
    profile = Profile.AES128_CM_SHA1_80 if suite == "AES-CTR" else Profile.AEAD_AES_128_GCM
    key = unhex(vector["key"] + vector["salt"])
    return [SrtpSession(profile, key, key, backend="ipsec-mb", cryptex=True) for _ in range(2)]


@pytest.mark.parametrize(("suite", "name"), CRYPTEX)
def test_cryptex(suite, name):
    """RFC 9335 appendix A.1 and A.2."""
    plain, protected = map(unhex, VECTORS["rfc9335"][suite]["packets"][name])
    alice, bob = cryptex_pair(suite)
    assert alice.protect(plain) == protected
    for bit in range(8 * len(protected)):
        damaged = bytearray(protected)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SrtpError):
            bob.unprotect(damaged)
    for size in range(len(protected)):
        with pytest.raises(SrtpError):
            bob.unprotect(protected[:size])
    assert bob.unprotect(protected) == plain


@pytest.mark.parametrize("suite", ["AES-CTR", "AES-GCM"])
def test_csrcs_alone_get_an_empty_block(suite):
    """RFC 9335 section 5.1: what A.1.5 and A.2.5 protect, without its block."""
    plain, protected = map(unhex, VECTORS["rfc9335"][suite]["packets"]["5 empty one-byte, CSRCs"])
    alice, bob = cryptex_pair(suite)
    bare = bytes((plain[0] & ~0x10,)) + plain[1:20] + plain[24:]
    assert alice.protect(bare) == protected
    assert bob.unprotect(protected) == plain


@pytest.mark.parametrize("profile", Profile)
def test_with_cryptex_packets_without_it_are_taken_too(profile):
    key = key_of(profile)
    plain = SrtpSession(profile, key, key, backend="libsrtp")
    ours = SrtpSession(profile, key, key, backend="ipsec-mb", cryptex=True)
    other = SrtpSession(profile, key, key, backend="ipsec-mb", cryptex=True)
    packets = [
        rtp(1, csrcs=(5,), extension=b"\xbe\xde\0\1\x10a\0\0"),
        rtp(2),
        rtp(3, extension=b"\x77\x77\0\1abcd"),
        rtp(4, extension=b"\x10\x05\0\1\1\1a\0"),
    ]
    for packet in packets:
        assert ours.unprotect(plain.protect(packet)) == packet
        assert other.unprotect(ours.protect(packet)) == packet
    with pytest.raises(ValueError, match="cryptex needs"):
        SrtpSession(profile, key, key, backend="libsrtp", cryptex=True)
