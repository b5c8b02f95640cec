"""What a caller can be told. The network never raises; it raises counters (see `_drop.pxd`)."""


class MediaRouterError(Exception):
    """Base of every error of this library."""


class InvalidStateError(MediaRouterError):
    """The object cannot do this now: it is closed, or a step before this one is missing."""


class UnsupportedError(MediaRouterError):
    """A codec, extension or parameter that this router does not offer."""


class NegotiationError(MediaRouterError, ValueError):
    """A description or a set of parameters from outside that is malformed or contradicts itself."""
