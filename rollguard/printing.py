"""Text for a terminal, and JSON for a program."""

import json
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from schemas.fields import format_time

_BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that make a terminal show text in another order than it has."""


def printable(text: str) -> str:
    """Return text that a terminal shows without obeying it.

    Control characters are replaced by their pictures (``␍``) or by escapes. Line feeds and tabs
    stay.
    """
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in "\n\t":
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if character in _BIDI or unicodedata.category(character) in ("Cc", "Cs"):
        return f"\\u{code:04x}"
    return character


def percent(rate: float | None) -> str:
    """Return a rate as ``97.5 %``; a dash if there is no rate."""
    if rate is None or math.isnan(rate):
        return "-"
    return f"{rate:.1%}".replace("%", " %")


def data_of(model: BaseModel) -> Any:
    """Return the model as JSON has it: dictionaries, lists, texts and numbers."""
    return model.model_dump(mode="json")


def print_json(value: Any) -> None:
    """Print one JSON document; NaN and infinite numbers become null."""
    print(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, default=str))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def pairs(values: Mapping[str, Any]) -> None:
    """Print a line for each value; a dash if there is none."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, "-" if value in (None, "") else printable(str(value)))
    Console().print(table, markup=False)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None
) -> None:
    """Print a table; the cell of a value that is None is empty."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else printable(str(value)) for value in row))
    Console().print(table, markup=False)
