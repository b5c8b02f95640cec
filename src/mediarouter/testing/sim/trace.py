"""What befell the packets of one flow, as columns of numbers: one row a packet, one a change of the estimate."""

from array import array


class Trace:
    """Columns that grow while a scenario runs."""

    __slots__ = (
        "layer_at_us", "layer_rates_bps", "layer_spatial", "layer_stream", "layer_temporal", "lost_at_us",
        "received_at_us", "received_bytes", "sent_at_us", "sent_bytes", "sent_kind", "target_at_us", "target_bps",
        "transit_us", "wanted_at_us", "wanted_bps",
    )  # fmt: skip

    def __init__(self) -> None:
        self.sent_at_us = array("q")
        self.sent_bytes = array("q")
        self.sent_kind = array("b")  # media, audio or padding
        self.received_at_us = array("q")
        self.received_bytes = array("q")
        self.transit_us = array("q")  # from being sent to being received
        self.lost_at_us = array("q")
        self.target_at_us = array("q")
        self.target_bps = array("q")
        # of a viewer: which layer of which stream goes from when on, -1: none
        self.layer_at_us = array("q")
        self.layer_stream = array("q")
        self.layer_spatial = array("b")
        self.layer_temporal = array("b")
        self.layer_rates_bps = array("q")
        # of a viewer: what the layers take that the allocation asked for
        self.wanted_at_us = array("q")
        self.wanted_bps = array("q")

    def note_target(self, now_us: int, target_bps: int) -> None:
        """The estimate, if it changed."""
        if not self.target_bps or self.target_bps[-1] != target_bps:
            self.target_at_us.append(now_us)
            self.target_bps.append(target_bps)

    def note_wanted(self, now_us: int, wanted_bps: int) -> None:
        """What the allocation asked for, if it changed."""
        if not self.wanted_bps or self.wanted_bps[-1] != wanted_bps:
            self.wanted_at_us.append(now_us)
            self.wanted_bps.append(wanted_bps)

    def note_layer(self, now_us: int, stream: int, layer: tuple[int, int] | None, rate_bps: int) -> None:
        """From now on this layer of a stream goes."""
        spatial, temporal = layer or (-1, -1)
        self.layer_at_us.append(now_us)
        self.layer_stream.append(stream)
        self.layer_spatial.append(spatial)
        self.layer_temporal.append(temporal)
        self.layer_rates_bps.append(rate_bps)
