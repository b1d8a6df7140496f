"""Options that several verbs share, and the reading of times and durations."""

import re
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from uuid import UUID

import typer

from rollguard.login_name import login_name

if TYPE_CHECKING:
    from schemas.settings import Settings

T = TypeVar("T")

MAX_LIMIT: Final = 2**31 - 1

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Tool = Annotated[str, typer.Argument(help="The tool's name.", show_default=False)]
OfTool = Annotated[str | None, typer.Option("--tool", help="Only of this tool.")]
By = Annotated[str | None, typer.Option(help="Your name; by default your login name.")]
CommandId = Annotated[
    UUID, typer.Argument(help="The command's id, as `holds` prints it.", show_default=False)
]
Limit = Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="List at most this many.")]

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def settings() -> "Settings":
    """Return the settings in force. Misconfigured names every variable that is wrong."""
    from schemas.settings import load_settings

    return load_settings()


def run(call: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own, and return its result."""
    import asyncio

    return asyncio.run(call)


def name_of(by: str | None) -> str:
    """Return the name that was given, or else the login name."""
    name = by or login_name()
    if name is None:
        raise typer.BadParameter("there is no login name here: give --by NAME")
    return name


def duration_of(text: str) -> timedelta | None:
    """Return the duration that 90s, 15m, 2h or 7d names; None for any other text."""
    if not re.fullmatch(r"\d{1,9}[smhd]", text, re.ASCII):
        return None
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def time_of(option: str, text: str) -> datetime:
    """Return the time that ``text`` names: either a time, or a duration before now.

    A duration that reaches back before the first year that Python knows gives 1970. ``option`` is
    named in the error if the text is neither.
    """
    from schemas.fields import parse_time

    ago = duration_of(text)
    if ago is not None:
        try:
            return datetime.now(UTC) - ago
        except OverflowError:
            return datetime(1970, 1, 1, tzinfo=UTC)
    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option} {text!r}: {error}") from None


def optional_time_of(option: str, text: str | None) -> datetime | None:
    """Return the time that ``text`` names, as ``time_of`` does; None if there is no text."""
    return None if text is None else time_of(option, text)
