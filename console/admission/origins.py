"""Where a request comes from: a page in a browser says it."""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_OWN_SITES: Final = ("same-origin", "none")
"""What a browser says of a request of a page of the same origin, and of one of its user."""


def is_from_own_page(headers: Headers, own_names: Collection[str] = ()) -> bool:
    """Return whether a request comes from a page of the console, or from no page at all.

    A browser says in ``Origin`` where a page comes from, for each request that changes something.
    That is the host that the request calls, or one of ``own_names`` (hosts in lower case), if a
    proxy has changed the header ``Host``. What is no browser sends no such header.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None and site.lower() not in _OWN_SITES:
        return False
    host = headers.get("Host", "")
    return all(_is_own(origin, host, own_names) for origin in headers.getlist("Origin"))


def _is_own(origin: str, host: str, own_names: Collection[str]) -> bool:
    """Return whether an origin (``http://127.0.0.1:6069``) is one of ours."""
    try:
        theirs = urlsplit(origin).netloc.lower()
        name = urlsplit(origin).hostname
    except ValueError:
        return False
    return theirs.removesuffix(":80") == host.lower().removesuffix(":80") or name in own_names
