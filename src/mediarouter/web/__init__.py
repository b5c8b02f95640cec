"""The doors: WHIP, WHEP and a meeting page as an ASGI application (needs the extra `web`)."""

from mediarouter.web.app import create_app

__all__ = ["create_app"]
