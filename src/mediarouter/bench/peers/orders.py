"""Routers in Python that are ICE-lite and take JSON lines: this one, and the plain asyncio one of bench/peers."""

import json
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from mediarouter import __version__, srtp
from mediarouter.bench.clients import Client, Joined
from mediarouter.bench.load import TRANSPORT_CC_ID, capabilities, rtp_parameters
from mediarouter.bench.peers.peer import RECIPES, Missing, Setting
from mediarouter.bench.peers.processes import PeerProcess
from mediarouter.parameters import DtlsParameters, IceCandidate, IceParameters


class OrderedRouter:
    """A router that takes the orders of `mediarouter.bench.router_process`.

    Args:
        command: its program and arguments.
    """

    def __init__(self, command: Sequence[str], version: str, setting: Setting) -> None:
        self.version = version
        self.transport_cc_id = TRANSPORT_CC_ID
        self._load = setting.load
        self._certificate = setting.certificate
        self._producers: list[int] = []
        self._process = PeerProcess(command, setting.folder / "log", piped=True)
        try:
            self._order()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def publish(self, ssrc: int) -> Joined:
        """A transport with a producer."""
        transport, joined = self._join()
        parameters = msgspec.to_builtins(rtp_parameters(self._load, len(self._producers)))
        parameters["encodings"][0]["ssrc"] = ssrc
        answer = self._order(do="produce", transport=transport, kind=self._load.kind, rtp=parameters)
        self._producers.append(answer["producer"])
        return joined

    def subscribe(self) -> Joined:
        """A transport with a consumer of each producer."""
        transport, joined = self._join()
        wanted = msgspec.to_builtins(capabilities())
        self._order(do="consume", transport=transport, producers=self._producers, capabilities=wanted)
        return joined

    def close(self) -> None:
        """End it."""
        self._process.stop()

    def _join(self) -> tuple[int, Joined]:
        client = Client(self._certificate)
        answer = self._order(
            do="open", dtls=msgspec.to_builtins(client.dtls_parameters), ice=msgspec.to_builtins(client.ice_parameters)
        )
        joined = client.join(
            msgspec.convert(answer["ice"], IceParameters),
            msgspec.convert(answer["candidates"], tuple[IceCandidate, ...]),
            msgspec.convert(answer["dtls"], DtlsParameters),
        )
        return answer["transport"], joined

    def _order(self, **fields: Any) -> dict[str, Any]:
        return dict(json.loads(self._process.ask(json.dumps(fields).encode())))


def start_mediarouter(setting: Setting) -> OrderedRouter:
    """This library, one worker."""
    command = [sys.executable, "-m", "mediarouter.bench.router_process"]
    return OrderedRouter(command, f"{__version__}, {srtp.backend}", setting)


def start_asyncio(setting: Setting) -> OrderedRouter:
    """The plain router in Python.

    Raises:
        Missing: its program or what it imports is not here.
    """
    program = RECIPES / "asyncio_router.py"
    if not program.exists():
        raise Missing(f"{program} is only in a checkout of the repository")
    try:
        versions = ", ".join(f"{name} {version(name)}" for name in ("aiortc", "pylibsrtp", "uvloop"))
    except PackageNotFoundError as error:
        raise Missing(f"pip install 'mediarouter[bench]': {error}") from None
    return OrderedRouter([sys.executable, str(program)], versions, setting)
