"""Callbacks by name, for the objects of the control plane."""

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("mediarouter")


class Emitter:
    """Something that tells others what happens to it.

    A callback that raises is logged and harms neither the media nor the callbacks after it.
    """

    events: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callable[..., Any]]] = {}

    def on(self, event: str, callback: Callable[..., Any]) -> Callable[[], None]:
        """Call `callback` at each `event`, in the loop's thread.

        Returns:
            A function that ends it; calling that twice is no error.

        Raises:
            ValueError: this object has no such event.
        """
        if event not in self.events:
            raise ValueError(f"{type(self).__name__} has no event {event!r}; it has {sorted(self.events)}")
        callbacks = self._callbacks.setdefault(event, [])
        callbacks.append(callback)

        def off() -> None:
            if callback in callbacks:
                callbacks.remove(callback)

        return off

    def emit(self, event: str, *arguments: Any) -> None:
        """Call what waits for `event`."""
        for callback in tuple(self._callbacks.get(event, ())):
            try:
                callback(*arguments)
            except Exception:
                logger.exception("a callback of %s for %r failed", type(self).__name__, event)
