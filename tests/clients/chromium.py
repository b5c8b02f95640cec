"""Debian's Chromium, headless, with a fake camera that beeps; loopback candidates are let through."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import BrowserContext, async_playwright

EXECUTABLE = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
    "--use-fake-device-for-media-stream=fps=30",
    "--use-fake-ui-for-media-stream",
    "--auto-select-desktop-capture-source=Entire screen",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
]


def is_installed() -> bool:
    """Whether there is a browser to test with."""
    return Path(EXECUTABLE).exists()


@contextlib.asynccontextmanager
async def chromium(executable: str = EXECUTABLE) -> AsyncIterator[BrowserContext]:
    """A browser with an empty profile.

    Args:
        executable: what to start, when it is not the browser itself but a script that starts it somewhere else.
    """
    profile = tempfile.mkdtemp(prefix="mediarouter-chromium-")
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile,
            executable_path=executable,
            headless=True,
            args=ARGUMENTS,
            ignore_default_args=["--mute-audio"],
            chromium_sandbox=False,
        )
        try:
            yield context
        finally:
            await context.close()
            shutil.rmtree(profile, ignore_errors=True)
