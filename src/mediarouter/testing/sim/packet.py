"""A packet on its way: a tuple, since there are hundreds of thousands of them in a scenario."""

from typing import Any, Protocol, TypeAlias


class Owner(Protocol):
    """Whoever waits for a packet at the end of its way."""

    def receive(self, packet: "Packet") -> None:
        """It arrived, now."""

    def lose(self, packet: "Packet") -> None:
        """It was dropped or lost, now. Only to be counted: nobody in a network would be told."""


# owner, bytes on the wire, number (of the owner's own counting), when it was sent, anything else
Packet: TypeAlias = tuple[Owner, int, int, int, Any]

MEDIA, AUDIO, PADDING = 0, 1, 2
OVERHEAD_BYTES = 42  # of feedback on the wire: IP and UDP headers (28), what SRTCP adds (14)
