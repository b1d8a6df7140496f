"""The console's application without a network: how tests ask it as a browser does."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, Final, cast

import httpx2

from console.admission.visitor import Visitor
from console.app import create_app
from console.pages.rendering.answers import Frame
from console.pages.rendering.environment import TEMPLATES
from console.services import Services
from schemas.settings import load_settings
from tests.support.inputs.hostile import TEXT

EVIL: Final = (
    "</pre></script>\"'><img src=x onerror=alert(1)><a href='javascript:x'>"
    + TEXT.replace(
        "\ud800",
        "?",  # a lone surrogate comes from nowhere: neither Postgres nor JSON can hold it
    )
)
"""A text that would run a script on a page that does not escape it, and that hides what it is."""
NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
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


def rendered(template: str, *, role: str = "operator", here: str = "/tools", **values: Any) -> str:
    """Return the page of a template for somebody with this role, at noon."""
    visitor = Visitor("ann", cast(Any, role), "session", "the-csrf-token")
    frame = Frame(visitor, here, "/" + here.split("/")[1], "", None, NOW)
    return TEMPLATES.get_template(template).render(frame=frame, now=NOW, **values)


class _Attack(AssertionError):
    """A page does something that a text from outside says."""


class _Harmless(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if len(given) != len(attrs) or tag in ("iframe", "object", "embed", "style", "base"):
            raise _Attack(self.get_starttag_text())
        is_data = given.get("type") == "application/json"
        if tag == "script" and not (is_data or (given.get("src") or "").startswith("/static/")):
            raise _Attack(self.get_starttag_text())
        if tag == "img" and not (given.get("src") or "").startswith("/static/"):
            raise _Attack(self.get_starttag_text())
        for name, value in attrs:
            if name.startswith(("on", "hx-on")) or name == "style":
                raise _Attack(self.get_starttag_text())
            is_address = name in ("href", "src", "action", "hx-get", "hx-post", "formaction")
            if is_address and not re.match("/(?![/\\\\])|#", value or ""):
                raise _Attack(self.get_starttag_text())

    def handle_data(self, data: str) -> None:
        for character in data:
            if not character.isprintable() and character not in "\n\t":
                raise _Attack(f"{character!r} in {data[:100]!r}")


def require_harmless(html: str) -> None:
    """Raise AssertionError if a text from outside could act on a page, or hide what it is."""
    parser = _Harmless()
    parser.feed(html)
    parser.close()
