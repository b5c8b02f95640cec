"""A meeting in memory: an engine without thread or socket, everybody joined, and what they send recorded.

Keys are given and not negotiated, since the handshake is the control plane's.
"""

from mediarouter._engine import Engine, ufrag_prefix
from mediarouter.bench import _recording
from mediarouter.bench._recording import MID, PAYLOAD_TYPE, Recording
from mediarouter.bench._replay import Replay
from mediarouter.srtp import Profile
from mediarouter.testing.checks import binding_request

EXT_MID, EXT_ABS_SEND_TIME, EXT_TRANSPORT_CC = 1, 5, 6
CODEC_VP8 = 1
BEST_LAYER = 127
PASSWORD = b"a-password-of-24-letters"
JOINING_US = 1_000_000  # all come within so long
EXTENSIONS = {
    EXT_MID: _recording.MID_ID,
    EXT_ABS_SEND_TIME: _recording.SEND_TIME_ID,
    EXT_TRANSPORT_CC: _recording.TRANSPORT_CC_ID,
}


def key_of(profile: Profile, client: int, *, routers: bool = False) -> bytes:
    """Master key and salt of what a client sends, or of what the router sends to it."""
    size = profile.key_size + profile.salt_size
    return client.to_bytes(4, "big") + bytes((routers,)) + bytes(range(size - 5))


class Stage:
    """Publishers and subscribers, each of whom gets every publisher.

    Args:
        publishers, subscribers: how many.
        profile: of SRTP.

    Attributes:
        engine: with its rows.
        recording: empty at first.
        replay: plays it.
        subscribers: the handles of their transports.
    """

    def __init__(
        self,
        publishers: int,
        subscribers: int,
        *,
        profile: Profile = Profile.AEAD_AES_128_GCM,
        packets_per_frame: int = 6,
    ) -> None:
        self.profile = profile
        self.engine = Engine()
        self.recording = Recording(publishers=publishers, subscribers=subscribers, packets_per_frame=packets_per_frame)
        self._now_us = 1_000_000_000
        self._producers: list[int] = []
        self.subscribers: list[int] = []
        clients = publishers + subscribers
        for client in range(clients):
            self.engine.handle_timeout(self._now_us + JOINING_US * client // clients)
            handle = self._connect(client, self._now_us + JOINING_US * client // clients)
            if client < publishers:
                self._publish(handle, client)
            else:
                self._subscribe(handle)
                self.subscribers.append(handle)
        self._now_us += JOINING_US
        self.engine.handle_timeout(self._now_us)
        self.engine.poll_transmit()
        self.replay = Replay(self.engine, self.recording, self._now_us)

    def _connect(self, client: int, now_us: int) -> int:
        handle = self.engine.add_transport(1 + client, b"cname-of-16-byte")
        ufrag = ufrag_prefix(handle).encode() + b"rest"
        self.engine.set_ice_credentials(handle, ufrag, PASSWORD)
        check = binding_request(ufrag + b":peer", PASSWORD)
        key = key_of(self.profile, client)
        self.recording.add(self.profile, key, check)
        self.engine.handle_batch([(check, self.recording.address(client))], now_us)
        self.engine.set_keys(handle, self.profile, key, key_of(self.profile, client, routers=True))
        return handle

    def _publish(self, handle: int, client: int) -> None:
        self.engine.set_extensions(handle, {number: kind for kind, number in EXTENSIONS.items()})
        producer = self.engine.add_producer(
            handle,
            video=True,
            clock_rate=90000,
            codec=CODEC_VP8,
            payload_type=PAYLOAD_TYPE,
            rtx_payload_type=PAYLOAD_TYPE + 1,
            mid=MID,
            nack=True,
            use_fir=False,
            paused=False,
            encodings=[(b"", _recording.MEDIA_SSRC + client, 0)],
        )
        self._producers.append(producer)

    def _subscribe(self, handle: int) -> None:
        for index, producer in enumerate(self._producers):
            self.engine.add_consumer(
                handle,
                producer,
                ssrc=_recording.COPY_SSRC + index,
                rtx_ssrc=_recording.COPY_SSRC + 100_000 + index,
                payload_type=PAYLOAD_TYPE,
                rtx_payload_type=PAYLOAD_TYPE + 1,
                mid=str(index).encode(),
                extensions=EXTENSIONS,
                mixed=True,
                first_seq=_recording.FIRST_SEQ,
                paused=False,
                spatial=BEST_LAYER,
                temporal=BEST_LAYER,
            )

    def record(self, duration_us: int) -> None:
        """Make what the clients send in the next microseconds of the meeting."""
        self.recording.record(duration_us)

    def play(self, duration_us: int, start_ns: int = 0) -> dict[str, int]:
        """Let the engine work on so much of it; figures of `Replay.run`."""
        return self.replay.run(duration_us, start_ns)
