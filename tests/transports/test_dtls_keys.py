"""The order of what DTLS exports for SRTP, on material whose every byte is known."""

import pytest

from mediarouter.srtp import SrtpSession
from mediarouter.transports.dtls import DtlsCertificate, DtlsEndpoint
from tests.transports.openssl_peer import ROLES, Role


class Exporter:
    """A connection whose keying material is known."""

    def __init__(self, profile: bytes) -> None:
        self.profile = profile

    def get_selected_srtp_profile(self) -> bytes:
        return self.profile

    def export_keying_material(self, label: bytes, size: int) -> bytes:
        assert label == b"EXTRACTOR-dtls_srtp"
        return bytes(range(size))

    def get_cipher_name(self) -> str:
        return "ECDHE-ECDSA-AES128-GCM-SHA256"

    def master_key(self) -> bytes:
        return bytes(48)

    def client_random(self) -> bytes:
        return bytes(32)

    def server_random(self) -> bytes:
        return bytes(32)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", [b"SRTP_AES128_CM_SHA1_80", b"SRTP_AEAD_AES_128_GCM", b"SRTP_AEAD_AES_256_GCM"])
def test_rfc_5764_order_of_keys_and_salts(role: Role, name: bytes) -> None:
    """Section 4.2: client_write_SRTP_master_key, server's, client_write_SRTP_master_salt, server's."""
    certificate = DtlsCertificate.generate()
    ours = DtlsEndpoint(certificate, role, certificate.fingerprints)
    ours.state = "connected"
    ours._connection = Exporter(name)  # type: ignore[assignment]
    ours._let_go()
    key, salt = {b"SRTP_AES128_CM_SHA1_80": (16, 14), b"SRTP_AEAD_AES_128_GCM": (16, 12)}.get(name, (32, 12))
    client = [*range(key), *range(2 * key, 2 * key + salt)]
    server = [*range(key, 2 * key), *range(2 * key + salt, 2 * key + 2 * salt)]
    local, remote = ours.export_srtp_keys()
    assert [list(local), list(remote)] == ([client, server] if role == "client" else [server, client])
    # and what a session makes of them goes from the one side to the other
    sending, receiving = SrtpSession(ours.srtp_profile, local, remote), SrtpSession(ours.srtp_profile, remote, local)
    assert receiving.unprotect(sending.protect(bytes.fromhex("80" + "00" * 20))) == bytes.fromhex("80" + "00" * 20)
