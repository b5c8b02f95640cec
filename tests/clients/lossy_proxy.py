"""A UDP relay on loopback that loses some of what passes, by a seeded die; each client has a socket of its own."""

import asyncio
import random
from typing import Any


class LossyProxy(asyncio.DatagramProtocol):
    """Stands between clients and one router address.

    Args:
        target: the router.
        loss_to_router, loss_to_client: shares of media datagrams lost, 0..1. STUN and DTLS pass.
    """

    def __init__(self, target: tuple[str, int], loss_to_router: float, loss_to_client: float, seed: int = 1) -> None:
        self.target = target
        self.loss_to_router = loss_to_router
        self.loss_to_client = loss_to_client
        self.lost = 0
        self.passed = 0
        self._random = random.Random(seed)
        self._clients: dict[Any, asyncio.DatagramTransport] = {}
        self._early: dict[Any, list[bytes]] = {}

    @classmethod
    async def start(cls, target: tuple[str, int], loss_to_router: float, loss_to_client: float) -> "LossyProxy":
        """Open it on a free port of loopback."""
        loop = asyncio.get_running_loop()
        transport, proxy = await loop.create_datagram_endpoint(
            lambda: cls(target, loss_to_router, loss_to_client), local_addr=("127.0.0.1", 0)
        )
        proxy.transport = transport
        return proxy

    @property
    def address(self) -> tuple[str, int]:
        """Where clients send."""
        return self.transport.get_extra_info("sockname")[:2]

    def keeps(self, data: bytes, loss: float) -> bool:
        """Roll the die for a datagram."""
        if data and 128 <= data[0] <= 191 and self._random.random() < loss:
            self.lost += 1
            return False
        self.passed += 1
        return True

    def datagram_received(self, data: bytes, address: Any) -> None:
        """From a client."""
        if address not in self._clients:
            if address not in self._early:
                self._early[address] = []
                asyncio.get_running_loop().create_task(self._open(address))
            self._early[address].append(data)
        elif self.keeps(data, self.loss_to_router):
            self._clients[address].sendto(data)

    async def _open(self, address: Any) -> None:
        proxy = self

        class Back(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, _: Any) -> None:
                if proxy.keeps(data, proxy.loss_to_client):
                    proxy.transport.sendto(data, address)

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Back, remote_addr=self.target)
        self._clients[address] = transport
        for data in self._early.pop(address):
            transport.sendto(data)

    def close(self) -> None:
        """End."""
        self.transport.close()
        for transport in self._clients.values():
            transport.close()
