"""Values as people read them: one way for each kind of value, and all of it printable."""

import math
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from typing import Any, Final

from schemas.printable import printable
from schemas.rollback import HoldReason
from schemas.stops import Stop, StopKind

_NOTHING: Final = "-"
_MAX_NAME: Final = 200
"""Longer names are cut. A line has the names of everything that its value is in, so a long name
would be printed once for each value."""
_MAX_WHOLE: Final = 1e15
"""Above this, floats are no longer exact whole numbers: they are shown with an exponent."""

_HOLDS: Final[Mapping[HoldReason, str]] = {
    "fleet_budget": "so many tools were rolled back in a short time that another fault is likely",
}

_STOPS: Final[Mapping[StopKind, str]] = {
    "pin": "pinned",
    "freeze": "frozen",
    "wait": "autonomous deployments wait for resume: rolled back",
    "rejection": "rejected",
}


def hold_text(reason: HoldReason) -> str:
    """Say why a command is held that would be carried out otherwise."""
    return _HOLDS[reason]


def dismissal_text(by: str | None, why: str | None) -> str:
    """Say who dismissed a command or a deployment, and why if that is known."""
    return f"dismissed by {by}: {why}" if why else f"dismissed by {by}"


def verdicts_text(judged: int, bad: int) -> str:
    """Say how many executions were judged later, and how many of them were bad; "" for none."""
    return f"{bad} of {judged} judged bad" if judged else ""


def stale_text(executions: int, current_number: int) -> str:
    """Say how many executions were of another version than the current one; "" for none."""
    many = "1 execution" if executions == 1 else f"{executions} executions"
    return f"{many} since the activation of v{current_number}" if executions else ""


def value_text(value: object) -> str:
    """Return any value on one line, for a person; a dash if there is none."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return _float_text(value)
        case datetime():
            return time_text(value)
        case Mapping():
            parts = [f"{_name_text(name)} {_part(each)}" for name, each in value.items()]
            return ", ".join(parts) or _NOTHING
        case list() | tuple() | Set():
            return ", ".join(_part(each) for each in value) or _NOTHING
    return _NOTHING if value is None or value == "" else printable(str(value))


def _name_text(name: object) -> str:
    return printable(str(name).replace("_", " "))


def _part(value: object) -> str:
    """Return a value within another one, in parentheses if it has parts itself."""
    text = value_text(value)
    return f"({text})" if isinstance(value, Mapping | list | tuple | Set) and value else text


def _float_text(value: float) -> str:
    if math.isnan(value):
        return _NOTHING
    if value.is_integer() and abs(value) < _MAX_WHOLE:
        return str(int(value))
    return f"{value:.6g}"


def time_text(value: datetime) -> str:
    """Return a time as it is shown everywhere: ``2026-01-31T12:00:00Z``, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def stop_text(stop: Stop) -> str:
    """Return on one line what a person said: ``frozen by ann at …, until …: the release``."""
    of_all = " with all tools" if stop.tool_name is None else ""
    until = "" if stop.expires_at is None else f", until {time_text(stop.expires_at)}"
    said = f"{_STOPS[stop.kind]}{of_all} by {stop.set_by} at {time_text(stop.began_at)}{until}"
    return printable(f"{said}: {stop.reason}" if stop.reason else said)


def percent(rate: float | None) -> str:
    """Return a rate as ``97.5 %``; a dash if there is no rate."""
    if rate is None or math.isnan(rate):
        return _NOTHING
    return f"{rate:.1%}".replace("%", " %")


def failures_text(failures: int, others: int) -> str:
    """Return how many executions failed: ``12 failures, 9 of them not the tool's``."""
    text = f"{failures} failure{'' if failures == 1 else 's'}"
    return f"{text}, {others} of them not the tool's" if others else text


def version_text(number: int | None, version_id: int | None) -> str:
    """Return which version it is: ``v2 (id 7)``, or as much of it as is known."""
    if number is None:
        return _NOTHING if version_id is None else f"id {version_id}"
    return f"v{number}" if version_id is None else f"v{number} (id {version_id})"


def named(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a name and a text for each value, on one line each.

    The items of a list have the same name; the values of a mapping are named ``outer: inner``.
    Names are those of fields, with spaces; a very long one is cut. A success rate is a percentage.
    """
    lines: list[tuple[str, str]] = []
    for name, value in values.items():
        shown = _cut(_name_text(name))
        if isinstance(value, Mapping) and value:
            lines += [(_cut(f"{shown}: {inner}"), text) for inner, text in named(value)]
        elif isinstance(value, list | tuple) and value:
            lines += [(shown, value_text(each)) for each in value]
        elif name == "success_rate" and isinstance(value, float):
            lines.append((shown, percent(value)))
        else:
            lines.append((shown, value_text(value)))
    return lines


def _cut(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…"
