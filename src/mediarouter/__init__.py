"""An SFU core to embed in a Python service: it routes RTP, the service keeps rooms, users and signalling."""

from mediarouter.consumer import Consumer
from mediarouter.errors import InvalidStateError, MediaRouterError, NegotiationError, UnsupportedError
from mediarouter.net.pool import WorkerLoad, WorkerPool
from mediarouter.net.worker import Worker
from mediarouter.parameters import (
    DEFAULT_CODECS,
    Bandwidth,
    DtlsFingerprint,
    DtlsParameters,
    IceCandidate,
    IceParameters,
    RtpCapabilities,
    RtpParameters,
    WantedLayer,
)
from mediarouter.producer import Producer
from mediarouter.router import Router
from mediarouter.spanning import SpanningRouter
from mediarouter.transports.pipe import PipeTransport
from mediarouter.transports.webrtc import WebRtcTransport

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_CODECS",
    "Bandwidth",
    "Consumer",
    "DtlsFingerprint",
    "DtlsParameters",
    "IceCandidate",
    "IceParameters",
    "InvalidStateError",
    "MediaRouterError",
    "NegotiationError",
    "PipeTransport",
    "Producer",
    "Router",
    "RtpCapabilities",
    "RtpParameters",
    "SpanningRouter",
    "UnsupportedError",
    "WantedLayer",
    "WebRtcTransport",
    "Worker",
    "WorkerLoad",
    "WorkerPool",
    "__version__",
]
