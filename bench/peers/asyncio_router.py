"""A plain router in asyncio: what one writes in an afternoon with aiortc's packets, pylibsrtp and uvloop.

A packet that came in is decrypted, parsed into an object, given each subscriber's SSRC, number and extension ids,
serialized, encrypted and sent, one `sendto` after the other. Joining (checks, DTLS) is done by mediarouter's classes;
nothing of it runs for a media packet. Orders come as JSON lines, as mediarouter.bench.router_process takes them.
"""

import asyncio
import json
import os
import socket
import sys
from typing import Any

import msgspec
import uvloop
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtcpPacket, RtcpPsfbPacket, RtpPacket, is_rtcp
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

from mediarouter import _stun
from mediarouter.parameters import DtlsParameters
from mediarouter.srtp import Profile
from mediarouter.transports.dtls import DtlsCertificate, DtlsEndpoint

PLI = 1
SEND_BUFFER = RECEIVE_BUFFER = 4 << 20
PROFILES = {
    Profile.AES128_CM_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    Profile.AEAD_AES_128_GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    Profile.AEAD_AES_256_GCM: Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}
Address = tuple[str, int]


class Subscription:
    """One stream on its way to one client: what is different there."""

    def __init__(self, client: "Client", publisher: "Client", ssrc: int) -> None:
        self.client = client
        self.publisher = publisher
        self.ssrc = ssrc
        self.transport_seq = 0


class Client:
    """One end: its credentials, keys and streams."""

    def __init__(self, certificate: DtlsCertificate, remote: DtlsParameters) -> None:
        self.ufrag, self.password = os.urandom(4).hex(), os.urandom(16).hex()
        self.address: Address | None = None
        self.endpoint = DtlsEndpoint(certificate, "server", remote.fingerprints)
        self.inbound: Session | None = None
        self.outbound: Session | None = None
        self.extensions = HeaderExtensionsMap()
        self.ssrc = 0
        self.subscriptions: list[Subscription] = []  # who gets what this one publishes
        self.consumed: dict[int, Subscription] = {}  # by the SSRC that this one knows
        self.transport_seq = 0

    def take_keys(self) -> None:
        """Once DTLS is through."""
        local, remote = self.endpoint.export_srtp_keys()
        profile = PROFILES[self.endpoint.srtp_profile]
        self.inbound = Session(Policy(key=remote, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
        self.outbound = Session(Policy(key=local, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))


class Router(asyncio.DatagramProtocol):
    """One socket for all, clients told apart by address; a new address is learnt from a check."""

    def __init__(self, certificate: DtlsCertificate) -> None:
        self.certificate = certificate
        self.clients: list[Client] = []
        self.by_ufrag: dict[bytes, Client] = {}
        self.by_address: dict[Address, Client] = {}
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Address) -> None:
        first = data[0]
        if 128 <= first <= 191:
            client = self.by_address.get(address)
            if client is not None and client.inbound is not None:
                if is_rtcp(data):
                    self.take_rtcp(client, data)
                else:
                    self.forward(client, data)
        elif first < 4:
            self.take_check(data, address)
        elif 20 <= first <= 63:
            client = self.by_address.get(address)
            if client is not None:
                self.take_dtls(client, data, address)

    def forward(self, publisher: Client, data: bytes) -> None:
        """The way of a media packet."""
        try:
            packet = RtpPacket.parse(publisher.inbound.unprotect(data), publisher.extensions)
        except (SrtpError, ValueError):
            return
        for subscription in publisher.subscriptions:
            client = subscription.client
            if client.outbound is None:
                continue
            packet.ssrc = subscription.ssrc
            packet.extensions.transport_sequence_number = client.transport_seq
            client.transport_seq = (client.transport_seq + 1) & 0xFFFF
            self.transport.sendto(client.outbound.protect(packet.serialize(client.extensions)), client.address)

    def take_rtcp(self, client: Client, data: bytes) -> None:
        """Requests for key frames go to the publisher; reports and feedback end here."""
        try:
            packets = RtcpPacket.parse(client.inbound.unprotect_rtcp(data))
        except (SrtpError, ValueError):
            return
        for packet in packets:
            if isinstance(packet, RtcpPsfbPacket) and packet.fmt == PLI and packet.media_ssrc in client.consumed:
                self.ask_for_key_frame(client.consumed[packet.media_ssrc].publisher)

    def ask_for_key_frame(self, publisher: Client) -> None:
        if publisher.outbound is not None:
            request = bytes(RtcpPsfbPacket(fmt=PLI, ssrc=1, media_ssrc=publisher.ssrc))
            self.transport.sendto(publisher.outbound.protect_rtcp(request), publisher.address)

    def take_check(self, data: bytes, address: Address) -> None:
        client = self.by_ufrag.get(_stun.peek_ufrag(data))
        if client is None:
            return
        message = _stun.parse(data, client.password.encode())
        if not isinstance(message, dict) or not message["integrity"]:
            return
        client.address = address
        self.by_address[address] = client
        client.endpoint.start()
        ip = socket.inet_aton(address[0])
        self.transport.sendto(_stun.binding_response(data, ip, address[1], client.password.encode()), address)

    def take_dtls(self, client: Client, data: bytes, address: Address) -> None:
        client.endpoint.handle_datagram(data)
        while (datagram := client.endpoint.poll_transmit()) is not None:
            self.transport.sendto(datagram, address)
        if client.inbound is None and client.endpoint.state == "connected":
            client.take_keys()

    # ---- orders

    def open(self, order: dict[str, Any]) -> dict[str, Any]:
        client = Client(self.certificate, msgspec.convert(order["dtls"], DtlsParameters))
        self.clients.append(client)
        self.by_ufrag[client.ufrag.encode()] = client
        host, port = self.transport.get_extra_info("sockname")[:2]
        return {
            "transport": len(self.clients) - 1,
            "ice": {"usernameFragment": client.ufrag, "password": client.password, "iceLite": True},
            "candidates": [{"foundation": "1", "priority": 1, "address": host, "protocol": "udp", "port": port}],
            "dtls": msgspec.to_builtins(DtlsParameters(self.certificate.fingerprints, "server")),
        }

    def produce(self, order: dict[str, Any]) -> dict[str, Any]:
        publisher = self.clients[order["transport"]]
        publisher.ssrc = order["rtp"]["encodings"][0]["ssrc"]
        publisher.extensions = extension_map(order["rtp"]["headerExtensions"])
        return {"producer": order["transport"]}

    def consume(self, order: dict[str, Any]) -> dict[str, Any]:
        client = self.clients[order["transport"]]
        wanted = [e for e in order["capabilities"]["headerExtensions"] if e["kind"] == "video"]
        client.extensions = extension_map([{"uri": e["uri"], "id": e["preferredId"]} for e in wanted])
        for number in order["producers"]:
            publisher, ssrc = self.clients[number], 0x10000 + len(client.consumed)
            client.consumed[ssrc] = Subscription(client, publisher, ssrc)
            publisher.subscriptions.append(client.consumed[ssrc])
            self.ask_for_key_frame(publisher)
        return {}


def extension_map(extensions: list[dict[str, Any]]) -> HeaderExtensionsMap:
    """Ids of one side."""
    found = HeaderExtensionsMap()
    found.configure(
        RTCRtpParameters(
            headerExtensions=[RTCRtpHeaderExtensionParameters(id=e["id"], uri=e["uri"]) for e in extensions]
        )
    )
    return found


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.readline()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.bind(("127.0.0.1", 0))
    router = Router(DtlsCertificate.generate())
    await loop.create_datagram_endpoint(lambda: router, sock=sock)
    print("{}", flush=True)
    orders = {"open": router.open, "produce": router.produce, "consume": router.consume}
    while line := await reader.readline():
        order = json.loads(line)
        print(json.dumps(orders[order["do"]](order)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
