"""Fuzz what a DTLS endpoint takes once it is connected, when no OpenSSL stands behind it: `python fuzz/dtls.py`."""

import sys

from mediarouter.transports.dtls import ALERT, APPLICATION_DATA, HANDSHAKE, DtlsCertificate, DtlsEndpoint
from mediarouter.transports.dtls_records import DtlsRecords

CERTIFICATE = DtlsCertificate.generate()


def pair() -> tuple[DtlsEndpoint, DtlsEndpoint]:
    """A server and a client that are connected."""
    server, client = (DtlsEndpoint(CERTIFICATE, role, CERTIFICATE.fingerprints) for role in ("server", "client"))
    server.start()
    client.start()
    while "connecting" in (server.state, client.state):
        for one, two in ((client, server), (server, client)):
            while (datagram := one.poll_transmit()) is not None:
                two.handle_datagram(datagram)
    return server, client


SERVER, CLIENT = pair()


def records_of_client() -> DtlsRecords:
    """By which the client speaks."""
    assert CLIENT._records is not None
    return CLIENT._records


SEEDS = [
    records_of_client().seal(kind, content)
    for kind, content in ((APPLICATION_DATA, b"data"), (HANDSHAKE, b"\x0b\0\0"), (ALERT, b"\1\x5a"), (ALERT, b"\1\0"))
]


def fuzz_one(data: bytes) -> None:
    """Only a record under the client's keys may say anything; whatever is in it harms nothing."""
    SERVER.handle_datagram(data)
    SERVER.handle_datagram(data[:13] + SEEDS[0])
    if not any(seed in data for seed in SEEDS):
        assert SERVER.state == "connected" and SERVER.poll_transmit() is None
    restore()
    kind = data[0] if data else 0
    meant = records_of_client().seal(kind, data[1:])
    SERVER.handle_datagram(meant)
    assert SERVER.state == "connected" or kind == ALERT
    restore()


def restore() -> None:
    """For the next input; what it answered is of a size that rewards nobody."""
    while (datagram := SERVER.poll_transmit()) is not None:
        assert len(datagram) < 100
    SERVER.state, SERVER.failure = "connected", ""


def main() -> None:
    """Run it under atheris."""
    import atheris  # type: ignore[import-untyped]

    atheris.Setup(sys.argv, lambda data: fuzz_one(bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
