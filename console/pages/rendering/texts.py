"""Numbers, ages and links, as the pages show them."""

from datetime import datetime
from typing import Final
from urllib.parse import quote

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def age_text(time: datetime, now: datetime) -> str:
    """Return how long ago something was: ``12 s ago``, ``3 h ago``; or ``in 5 min``."""
    seconds = (now - time).total_seconds()
    text = span_text(abs(seconds))
    if text == "0 s":
        return "now"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def span_text(seconds: float) -> str:
    """Return a span of time in its largest unit: ``90 s`` is ``1 min``."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def count_text(count: int, one: str, many: str | None = None) -> str:
    """Return a number of things: ``1 tool``, ``2,000 tools``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def tool_path(tool: str, *more: str) -> str:
    """Return the path of a tool's page, or of what lies below it."""
    return "/".join(["/tools", *(quote(each, safe="") for each in (tool, *more))])


def version_name(number: int | None) -> str:
    """Return ``v2``; a dash if it is not known."""
    return "–" if number is None else f"v{number}"
