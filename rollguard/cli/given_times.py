"""Reading of times and durations as people write them."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import typer

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_DAY_AND_TIME: Final = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<time>\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?P<offset>[Zz]|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
_TIME_OF_DAY: Final = re.compile(r"\d?\d:\d\d(?::\d\d)?", re.ASCII)
_DAY: Final = timedelta(days=1)

FORMS: Final = "2h, 03:00, 2026-01-31 or 2026-01-31T03:00:00Z"
"""Every way to give a time, by an example."""


def duration_of(text: str) -> timedelta | None:
    """Return the duration that 90s, 15m, 2h or 7d names; None for any other text."""
    found = _DURATION.fullmatch(text)
    return None if found is None else timedelta(**{_UNITS[found[2]]: int(found[1])})


def time_of(option: str, text: str) -> datetime:
    """Return the time before now that a person means.

    A duration is so long ago; a time of day is the last one that has passed. A time without an
    offset is local time, and a day without a time is its beginning. A duration that reaches back
    before the first year that Python knows gives 1970. ``option`` is named in the error if the text
    is none of these.
    """
    now = datetime.now(UTC)
    duration = duration_of(text)
    if duration is not None:
        try:
            return now - duration
        except OverflowError:
            return datetime(1970, 1, 1, tzinfo=UTC)
    today = now.astimezone().date()
    found = _time_of(option, text, today)
    is_to_come = _TIME_OF_DAY.fullmatch(text) and found > now
    return _time_of(option, text, today - _DAY) if is_to_come else found


def coming_time_of(option: str, text: str) -> datetime:
    """Return the time after now that a person means, as ``time_of`` does for the past."""
    now = datetime.now(UTC)
    duration = duration_of(text)
    if duration is not None:
        try:
            return now + duration
        except OverflowError:
            raise typer.BadParameter(f"{option} {text!r}: ends after the year 9999") from None
    today = now.astimezone().date()
    found = _time_of(option, text, today)
    is_over = _TIME_OF_DAY.fullmatch(text) and found <= now
    return _time_of(option, text, today + _DAY) if is_over else found


def optional_time_of(option: str, text: str | None) -> datetime | None:
    """Return the time that ``text`` names, as ``time_of`` does; None if there is no text."""
    return None if text is None else time_of(option, text)


def _time_of(option: str, text: str, today: date) -> datetime:
    """Return the time that a text names; a time of day is one of ``today``, a local day."""
    from schemas.fields import parse_time

    try:
        return parse_time(_local_time(text, today))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{option} {text!r}: {error}") from None


def _local_time(text: str, today: date) -> datetime:
    if _TIME_OF_DAY.fullmatch(text):
        return datetime.combine(today, time.fromisoformat(text.zfill(5))).astimezone()
    found = _DAY_AND_TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"give {FORMS}")
    moment = datetime.fromisoformat(text.upper())
    return moment if found["offset"] else moment.astimezone()
