"""Which paths are for programs, and which are for everybody."""

from typing import Final

from agents.worker.http.access import OPEN

STATIC: Final = "/static/"
LOGIN: Final = "/login"
_PROGRAMS: Final = ("/api/", "/openapi.json", "/metrics")
FOR_VIEWERS: Final = (LOGIN, "/logout", "/theme")
"""What also somebody may send who changes nothing."""


def is_open(path: str) -> bool:
    """Return whether somebody who has not logged in may ask for this path."""
    return path in OPEN or path == LOGIN or path.startswith(STATIC)


def is_page(path: str) -> bool:
    """Return whether a path is that of a page: people read it in a browser."""
    return path not in OPEN and not path.startswith((*_PROGRAMS, STATIC))


def own_path(text: str | None) -> str:
    """Return a path of the console that was given from outside; ``/`` if it leads elsewhere.

    Two slashes at the beginning, or a slash and a backslash, lead a browser to another host. It
    also leaves out tabs and line breaks.
    """
    if text is None or not text.startswith("/") or text.startswith(("//", "/\\")):
        return "/"
    if not text.isascii() or not text.isprintable() or "\\" in text or len(text) > 2_000:
        return "/"
    return text if is_page(text.partition("?")[0]) else "/"
