"""Values as people read them: one way for each kind of value, and one escape for all texts.

Whatever comes from outside (code, names, errors, reasons) goes to a terminal or a pipe through
``printable``.
"""

import math
import unicodedata
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from typing import Any, Final

_NOTHING: Final = "-"
_JOINERS: Final = "\u200c\u200d"
"""Characters without a shape of their own that Persian, Hindi and emoji need."""
_ENDS_OF_LINES: Final = "\n\t"
_MAX_WHOLE: Final = 1e15
"""Above this, floats are no longer exact whole numbers: they are shown with an exponent."""


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Return the text so that it is shown and not obeyed, on one line.

    Control characters become their pictures (``␍``) or escapes, characters that change the order of
    a text or that cannot be seen become escapes. With ``keep_lines``, line feeds and tabs stay.
    """
    if text.isprintable():
        return text
    kept = _ENDS_OF_LINES if keep_lines else ""
    return "".join(each if each in kept else _visible(each) for each in text)


def _visible(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if unicodedata.category(character) == "Zs":  # wide and narrow spaces
        return character
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


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


def percent(rate: float | None) -> str:
    """Return a rate as ``97.5 %``; a dash if there is no rate."""
    if rate is None or math.isnan(rate):
        return _NOTHING
    return f"{rate:.1%}".replace("%", " %")


def version_text(number: int | None, version_id: int | None) -> str:
    """Return which version it is: ``v2 (id 7)``, or as much of it as is known."""
    if number is None:
        return _NOTHING if version_id is None else f"id {version_id}"
    return f"v{number}" if version_id is None else f"v{number} (id {version_id})"


def named(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a name and a text for each value, on one line each.

    The items of a list have the same name; the values of a mapping are named ``outer: inner``.
    Names are those of fields, with spaces. A success rate is a percentage.
    """
    lines: list[tuple[str, str]] = []
    for name, value in values.items():
        shown = _name_text(name)
        if isinstance(value, Mapping) and value:
            lines += [(f"{shown}: {inner}", text) for inner, text in named(value)]
        elif isinstance(value, list | tuple) and value:
            lines += [(shown, value_text(each)) for each in value]
        elif name == "success_rate" and isinstance(value, float):
            lines.append((shown, percent(value)))
        else:
            lines.append((shown, value_text(value)))
    return lines
