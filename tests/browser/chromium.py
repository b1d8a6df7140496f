"""A headless Chromium, and pages of it that note whatever goes wrong."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    async_playwright,
)

from tests.support.consoles.console import Console
from tests.support.consoles.scene import OPERATOR

WIDE: Final = (1280, 900)
NARROW: Final = (400, 800)
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str:
    """Return the program: that of ROLLGUARD_TEST_CHROMIUM, else Debian's."""
    found = os.environ.get("ROLLGUARD_TEST_CHROMIUM") or next(
        filter(None, map(shutil.which, _NAMES)), None
    )
    if found is None:
        raise RuntimeError("no Chromium: apt-get install chromium, or set ROLLGUARD_TEST_CHROMIUM")
    return found


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Browser]:
    """Run a Chromium until the end of the block."""
    arguments = ["--disable-dev-shm-usage", "--disable-gpu"]
    if os.getuid() == 0:  # its sandbox refuses to run as root
        arguments.append("--no-sandbox")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


class Faults(list[str]):
    """What went wrong in the pages of a context: errors, and requests to another host."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        super().__init__()
        self._host = urlsplit(url).netloc
        context.on("console", self._note_message)
        context.on("weberror", lambda error: self.append(f"{error.error}"))
        context.on("request", self._note_request)

    def _note_message(self, message: ConsoleMessage) -> None:
        """Note an error. What a page may not load or run by its policy is one, too."""
        if message.type in ("error", "warning"):
            self.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def _note_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self._host:
            self.append(f"a request to another host: {request.url}")


@asynccontextmanager
async def visiting(
    browser: Browser, console: Console, token: str | None = OPERATOR, **options: Any
) -> AsyncIterator[Page]:
    """Yield a page of somebody who has logged in with this token; None: who has not.

    At the end nothing may have gone wrong in it.
    """
    width, height = options.pop("size", WIDE)
    context = await browser.new_context(
        base_url=console.url,
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(60_000)
    faults = Faults(context, console.url)
    try:
        page = await context.new_page()
        if token is not None:
            await log_in(page, token)
        yield page
        assert not faults, "\n".join(faults)
    finally:
        await context.close()


async def log_in(page: Page, token: str, name: str = "ann") -> None:
    """Log in by the form, as a person does."""
    await page.goto("/login")
    await page.get_by_label("name").fill(name)
    await page.get_by_label("token").fill(token)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/tools")
