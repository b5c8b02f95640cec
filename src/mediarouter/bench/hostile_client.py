"""A participant who means harm, and a stranger who has no session: what they send, at steady rates."""

import itertools
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from mediarouter import _rtcp
from mediarouter.bench.load import FIRST_SSRC, VIDEO_PAYLOAD_TYPE, Load
from mediarouter.bench.malformed import FIRST_BYTES, Malformed
from mediarouter.bench.router_under_test import RouterUnderTest
from mediarouter.srtp import SrtpSession
from mediarouter.testing.checks import binding_request
from mediarouter.transports.dtls import DtlsCertificate

NACKS_PER_S, PLIS_PER_S, FIRS_PER_S, STRANGE_PER_S = 1000, 250, 250, 300
NUMBERS_OF_A_NACK = 128  # the newest so many
TICK_S = 0.01
CHECK_INTERVAL_S = 2.0
READ_MOST = 400  # datagrams of a tick; what is behind them the kernel drops


class HostileClient:
    """It has come in as everybody does: it watches, and has a stream of its own.

    Args:
        producers: which it watches, videos.
        index: of its own stream, which nobody else's has.

    Attributes:
        sent: datagrams by kind, of all runs.
        received: datagrams that it got.
    """

    def __init__(
        self, router: RouterUnderTest, certificate: DtlsCertificate, producers: Sequence[int], index: int
    ) -> None:
        transport, joined = router.join(certificate)
        self._socket = joined.socket
        self._check = joined.check

        def session() -> SrtpSession:
            return SrtpSession(joined.profile, joined.local_key, joined.remote_key)

        self._session = session()
        router.produce(transport, Load(), index)
        router.consume(transport, producers)
        self._malformed = Malformed(self._session, session, FIRST_SSRC + index, VIDEO_PAYLOAD_TYPE)
        self._newest: dict[int, int] = {}  # number by SSRC of the videos it gets
        self._kinds = itertools.cycle(Malformed.KINDS)
        self._turn = 0
        self._stranger = Stranger(joined.socket.getpeername())
        self.sent: Counter[str] = Counter()
        self.received = 0

    def run(self, seconds: float, malformed_per_s: float = 0.0, *, attack: bool = True) -> None:
        """Send for so long; without `attack` it is quiet, and only stays in."""
        rates: list[tuple[float, Callable[[], tuple[str, bytes]]]] = [
            (NACKS_PER_S, self._nack),
            (PLIS_PER_S, self._pli),
            (FIRS_PER_S, self._fir),
            (malformed_per_s, self._broken),
        ]
        done = [0] * len(rates)
        strange = 0
        began_s, checked_s = time.monotonic(), 0.0
        while (now_s := time.monotonic()) < began_s + seconds:
            self._read()
            if now_s > checked_s + CHECK_INTERVAL_S:
                self._send("check", self._check)
                checked_s = now_s
            if attack:
                for at, (rate, make) in enumerate(rates):
                    while done[at] < (now_s - began_s) * rate:
                        self._send(*make())
                        done[at] += 1
                while strange < (now_s - began_s) * STRANGE_PER_S:
                    self.sent[self._stranger.send()] += 1
                    strange += 1
            time.sleep(max(0.0, now_s + TICK_S - time.monotonic()))

    def close(self) -> None:
        """Go."""
        self._socket.close()
        self._stranger.close()

    def _send(self, kind: str, data: bytes) -> None:
        try:
            self._socket.send(data)
            self.sent[kind] += 1
        except BlockingIOError:
            self.sent["unsent"] += 1

    def _read(self) -> None:
        for _ in range(READ_MOST):
            try:
                data = self._socket.recv(2048)
            except BlockingIOError:
                return
            self.received += 1
            if len(data) >= 12 and data[0] >> 6 == 2 and data[1] & 0x7F == VIDEO_PAYLOAD_TYPE:
                seq, ssrc = struct.unpack_from("!H4xI", data, 2)
                self._newest[ssrc] = seq

    def _stream(self) -> int:
        self._turn += 1
        return tuple(self._newest)[self._turn % len(self._newest)] if self._newest else 0

    def _nack(self) -> tuple[str, bytes]:
        ssrc = self._stream()
        newest = self._newest.get(ssrc, 0)
        seqs = [(newest - back) & 0xFFFF for back in range(NUMBERS_OF_A_NACK)]
        return "nack", self._protected(_rtcp.write("nack", sender_ssrc=1, media_ssrc=ssrc, seqs=seqs))

    def _pli(self) -> tuple[str, bytes]:
        return "pli", self._protected(_rtcp.write("pli", sender_ssrc=1, media_ssrc=self._stream()))

    def _fir(self) -> tuple[str, bytes]:
        fir = _rtcp.write("fir", sender_ssrc=1, media_ssrc=self._stream(), command_seq=self._turn & 0xFF)
        return "fir", self._protected(fir)

    def _broken(self) -> tuple[str, bytes]:
        kind = next(self._kinds)
        return kind, self._malformed.make(kind)

    def _protected(self, packet: bytes) -> bytes:
        return bytes(self._session.protect_rtcp(packet))


class Stranger:
    """Somebody without a session, at an address that nobody has vouched for."""

    def __init__(self, router: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in router[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(router)
        self._die = Random(1)
        self._turn = 0

    def send(self) -> str:
        """One datagram; its kind."""
        self._turn += 1
        if self._turn % 2:
            # the first letters may be those of a transport that is there
            prefix = "AAA" + self._die.choice("ABCDEFGH")
            self._socket.send(binding_request(f"{prefix}{self._turn}:me".encode(), b"a guess of 22 letters."))
            return "strange_check"
        first = self._die.choice([*FIRST_BYTES["rtp"], *FIRST_BYTES["dtls"], self._die.randrange(256)])
        self._socket.send(bytes((first,)) + self._die.randbytes(self._die.randrange(1200)))
        return "strange_noise"

    def close(self) -> None:
        """Go."""
        self._socket.close()
