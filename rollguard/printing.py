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
"""What makes text look as if it stood in another order than it does."""


def printable(text: str) -> str:
    """Text that a terminal shows and does not obey: control characters as their pictures (``␍``)
    or escapes. Line feeds and tabs stay.
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
    """``97.5 %``; a dash where there is nothing to have a rate of."""
    if rate is None or math.isnan(rate):
        return "-"
    return f"{rate:.1%}".replace("%", " %")


def data_of(model: BaseModel) -> Any:
    """What JSON says of a model."""
    return model.model_dump(mode="json")


def print_json(value: Any) -> None:
    """One JSON document; null for what is not known (NaN)."""
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
    """A line for each value; a dash where there is none."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, "-" if value in (None, "") else printable(str(value)))
    Console().print(table, markup=False)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None
) -> None:
    """A table; nothing stands where a value is None."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else printable(str(value)) for value in row))
    Console().print(table, markup=False)
