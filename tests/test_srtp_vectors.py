"""Published packets that start from master keys, through every backend by its name, and an implementation in Python
that carries the vectors of session keys to the backends that take none."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.srtp import Profile, SrtpError, SrtpSession, available
from tests import srtp_reference as reference
from tests.srtp_packets import key_of, rtcp, rtp

VECTORS = json.loads((Path(__file__).parent / "vectors" / "srtp_rfc.json").read_text())
PACKETS = VECTORS["packets"]
BACKENDS = pytest.mark.parametrize("backend", available())
PROFILES = pytest.mark.parametrize("profile", Profile)
NAMES = pytest.mark.parametrize("name", PACKETS)
IN_CLEAR = pytest.mark.parametrize("name", [name for name in PACKETS if "rtcp_in_clear" in PACKETS[name]])


def session_of(vector, backend):
    key, mki = bytes.fromhex(vector["key"]), bytes.fromhex(vector.get("mki", ""))
    return SrtpSession(
        vector["profile"],
        key,
        key,
        backend=backend,
        local_mki=mki,
        remote_mki=mki,
        encrypted_extensions=vector.get("encrypted_extensions", ()),
    )


def reason(function, packet):
    with pytest.raises(SrtpError) as caught:
        function(packet)
    return caught.value.reason


def outcome(function, packet):
    try:
        return function(packet)
    except SrtpError as error:
        return error.reason


@BACKENDS
@NAMES
def test_rtp_from_a_master_key(name, backend):
    """RFC 3711, RFC 6188, RFC 7714, RFC 6904: key derivation, cipher, tag, key identifier in one."""
    vector = PACKETS[name]
    session = session_of(vector, backend)
    plain, protected = map(bytes.fromhex, vector["rtp"])
    made = session.protect(plain)
    # libsrtp's vector of GCM with RFC 6904 has the shorter tag of an older draft
    assert made[: len(protected)] == protected
    assert len(made) == len(protected) + (8 if name == "libsrtp AEAD_AES_128_GCM, RFC 6904" else 0)
    assert session.unprotect(made) == plain


@BACKENDS
@pytest.mark.parametrize("name", [name for name in PACKETS if "rtcp" in PACKETS[name]])
def test_rtcp_from_a_master_key(name, backend):
    session = session_of(PACKETS[name], backend)
    plain, protected = map(bytes.fromhex, PACKETS[name]["rtcp"])
    assert session.protect_rtcp(plain) == protected
    assert session.unprotect_rtcp(protected) == plain


@BACKENDS
def test_rfc_3711_b_3_goes_on_into_a_packet(backend):
    """The session keys of B.3 make the packet that libsrtp publishes for B.3's master key."""
    derivation, packet = VECTORS["derivation"]["RFC 3711 B.3"], PACKETS["libsrtp AES128_CM_SHA1_80"]
    assert derivation["key"] + derivation["salt"] == packet["key"]
    keys = reference.Keys(*(bytes.fromhex(derivation[part]) for part in ("cipher_key", "auth_key", "cipher_salt")))
    assert reference.derived(Profile.AES128_CM_SHA1_80, bytes.fromhex(packet["key"]), reference.RTP) == keys
    plain, protected = map(bytes.fromhex, packet["rtp"])
    assert reference.protected(Profile.AES128_CM_SHA1_80, keys, plain) == protected
    assert session_of(packet, backend).protect(plain) == protected


@BACKENDS
def test_rfc_6188_7_2_goes_on_into_a_packet(backend):
    derivation, packet = VECTORS["derivation"]["RFC 6188 7.2"], PACKETS["libsrtp AES256_CM_SHA1_80"]
    assert derivation["key"] + derivation["salt"] == packet["key"]
    keys = reference.Keys(*(bytes.fromhex(derivation[part]) for part in ("cipher_key", "auth_key", "cipher_salt")))
    plain, protected = map(bytes.fromhex, packet["rtp"])
    assert reference.protected(Profile.AES256_CM_SHA1_80, keys, plain) == protected
    assert session_of(packet, backend).protect(plain) == protected


# ---- SRTCP in clear


@BACKENDS
@IN_CLEAR
def test_srtcp_in_clear_is_taken_by_its_tag(name, backend):
    """The E bit is 0 (RFC 3711 section 3.4, RFC 7714 section 9.3). Every bit of it is authenticated all the same."""
    vector = PACKETS[name]
    plain, protected = map(bytes.fromhex, vector["rtcp_in_clear"])
    session = session_of(vector, backend)
    for bit in range(8 * len(protected)):
        damaged = bytearray(protected)
        damaged[bit // 8] ^= 1 << bit % 8
        assert reason(session.unprotect_rtcp, damaged).startswith("srtp_"), bit
    for size in range(len(protected)):
        assert reason(session.unprotect_rtcp, protected[:size]).startswith("srtp_"), size
    assert session.ssrc_count == (0, 0)
    assert session.unprotect_rtcp(protected) == plain
    assert session.ssrc_count == (0, 1)
    assert reason(session.unprotect_rtcp, protected) == "srtp_replay"
    # the index is one, encrypted or not
    assert reason(session.unprotect_rtcp, bytes.fromhex(vector["rtcp"][1])) == "srtp_replay"
    session.remove_ssrc(int.from_bytes(plain[4:8]))
    assert session.unprotect_rtcp(protected) == plain


@PROFILES
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.booleans(), st.integers(0, 2), st.booleans()), max_size=80))
def test_backends_decide_alike_on_srtcp_in_clear_and_encrypted(profile, packets):
    keys = reference.derived(profile, key_of(profile), reference.RTCP)
    sessions = [SrtpSession(profile, key_of(profile), key_of(profile), backend=name) for name in available()]
    for index, encrypted, ssrc, damaged in packets:
        packet = bytearray(reference.protected_rtcp(profile, keys, rtcp(ssrc), index, encrypted=encrypted))
        packet[9] ^= damaged
        said = {outcome(session.unprotect_rtcp, bytes(packet)) for session in sessions}
        assert len(said) == 1 and said <= {rtcp(ssrc), "srtp_auth", "srtp_replay", "srtp_old"}
        assert not damaged or rtcp(ssrc) not in said


# ---- vectors of session keys


def test_the_reference_makes_the_keystreams():
    """RFC 3711 appendix B.2, RFC 6188 section 7.1."""
    for vector in VECTORS["keystream"].values():
        for first, blocks in vector["blocks"].items():
            counter = int(vector["iv"], 16) + int(first, 16)
            assert reference.keystream(bytes.fromhex(vector["key"]), counter, len(blocks) // 2).hex() == blocks


def test_the_reference_derives_the_keys():
    """RFC 3711 appendix B.3, RFC 6188 section 7.2."""
    for vector in VECTORS["derivation"].values():
        keys = reference.derived(
            Profile(vector["profile"]), bytes.fromhex(vector["key"] + vector["salt"]), reference.RTP
        )
        assert [part.hex() for part in keys] == [vector[part] for part in ("cipher_key", "auth_key", "cipher_salt")]


@pytest.mark.parametrize("name", VECTORS["rfc7714"])
def test_the_reference_makes_the_packets_of_rfc_7714(name):
    vector = VECTORS["rfc7714"][name]
    profile = Profile.AEAD_AES_128_GCM if len(vector["key"]) == 32 else Profile.AEAD_AES_256_GCM
    keys = reference.Keys(bytes.fromhex(vector["key"]), b"", bytes.fromhex(vector["salt"]))
    plain, encrypted = bytes.fromhex(vector["plain"]), vector["encrypted"]
    if vector["index"]:
        made = reference.protected_rtcp(profile, keys, plain, vector["index"], encrypted=encrypted)
    else:
        made = reference.protected(profile, keys, plain, encrypted=encrypted)
    assert made.hex() == vector["protected"]


@PROFILES
@settings(max_examples=40, deadline=None)
@given(
    st.binary(min_size=46, max_size=46),
    st.binary(max_size=1300),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 15),
)
def test_session_keys_reach_libsrtp_by_way_of_the_reference(profile, material, payload, seq, ssrc, sources):
    """libsrtp takes master keys alone and makes the session keys by a function that cannot be turned round, so the
    vectors that state session keys cannot be given to it. The reference takes both and stands by those vectors above;
    here every backend stands by the reference."""
    master = material[: profile.key_size + profile.salt_size]
    packet = rtp(seq, ssrc, payload, csrcs=tuple(range(sources)), extension=b"\xbe\xde\0\1\x10a\0\0" * (sources % 2))
    report = rtcp(ssrc, sources) + payload
    made = reference.protected(profile, reference.derived(profile, master, reference.RTP), packet)
    keys = reference.derived(profile, master, reference.RTCP)
    sealed = reference.protected_rtcp(profile, keys, report, 1)
    in_clear = reference.protected_rtcp(profile, keys, report, 2, encrypted=False)
    for backend in available():
        session = SrtpSession(profile, master, master, backend=backend)
        assert session.protect(packet) == made and session.unprotect(made) == packet
        assert session.protect_rtcp(report) == sealed and session.unprotect_rtcp(sealed) == report
        assert session.unprotect_rtcp(in_clear) == report


@BACKENDS
@PROFILES
def test_no_profile_takes_media_in_clear(profile, backend):
    """RFC 7714 sections 16.1.3 and 16.2.3 show RTP with a tag alone; the profiles of DTLS-SRTP all encrypt."""
    session = SrtpSession(profile, key_of(profile), key_of(profile), backend=backend)
    keys = reference.derived(profile, key_of(profile), reference.RTP)
    bare = reference.protected(profile, keys, rtp(1), encrypted=False)
    if reference.is_gcm(profile):
        assert reason(session.unprotect, bare) == "srtp_auth"
    else:
        # nothing in the packet tells: the tag is over what is on the wire, and noise comes out
        assert session.unprotect(bare) != rtp(1)
