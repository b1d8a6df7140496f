"""The console's application without a network: how tests ask it as a browser does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any, cast

import httpx2

from console.app import create_app
from console.services import Services
from schemas.settings import load_settings

TOKEN, VIEWER = "the-token-of-operators", "the-token-of-viewers"


class _Services:
    """What the application needs before a page asks for something."""

    def __init__(self, **settings: Any) -> None:
        self.settings = load_settings(**settings)


@asynccontextmanager
async def browser(
    *, services: Any = None, https: bool = False, **settings: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a browser of a console with these settings; without ``services`` nothing is behind it.

    It keeps cookies, and follows no redirects by itself.
    """
    app = create_app(cast(Services, services or _Services(**settings)))
    site = f"http{'s' * https}://127.0.0.1:6069"
    transport = httpx2.ASGITransport(app=app)
    headers = {"Accept": "text/html", "Origin": site, "Sec-Fetch-Site": "same-origin"}
    if https:
        headers["X-Forwarded-Proto"] = "https"
    async with httpx2.AsyncClient(transport=transport, base_url=site, headers=headers) as client:
        yield client


class _Hidden(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.values.setdefault(given["name"] or "", given.get("value") or "")


def hidden_fields(html: str) -> dict[str, str]:
    """Return the hidden fields of a page, the first of each name."""
    found = _Hidden()
    found.feed(html)
    return found.values
