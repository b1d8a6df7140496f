"""Output for a terminal, for a pipe, and JSON for a program.

On a terminal tables have frames and wrap. In a pipe every row is one line, nothing is folded, cut
or coloured, and the columns are separated by tabs. Every verb prints by these functions, which make
all texts printable.
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rollguard.value_texts import named, value_text
from schemas.fields import format_time
from schemas.printable import printable

Columns = Sequence[str | Sequence[str]]
"""The names of columns. On a terminal the values of a group stand below each other, and its first
name is that of all."""

_FRAME: Final = 3
"""How many characters a column needs besides its text."""
_WIDEST_NAME: Final = 48
"""Values begin in the same column, unless their names are longer than this."""
_NARROWEST: Final = 10
"""If the columns that wrap would be narrower, no column stays whole: nothing may be cut."""


def clear_terminal() -> None:
    """Begin again at the top of the terminal; nothing happens in a pipe."""
    if on_terminal():
        _terminal().clear()


def on_terminal() -> bool:
    """Return whether a person reads stdout on a terminal."""
    return sys.stdout.isatty()


def data_of(model: BaseModel) -> Any:
    """Return the model as JSON has it: dictionaries, lists, texts and numbers."""
    return model.model_dump(mode="json")


def print_json(value: Any) -> None:
    """Print one JSON document, as ``json_text`` returns it."""
    print(json_text(value), flush=True)


def json_text(value: Any) -> str:
    """Return a value as JSON on one line; NaN and infinite numbers become null.

    It is ASCII: every other character is an escape of JSON, so a terminal obeys nothing of it.
    """
    return json.dumps(_plain(value), allow_nan=False, default=str)


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


def print_line(text: str) -> None:
    """Print one line on stdout."""
    print(printable(text))


def print_note(text: str) -> None:
    """Print one line on stderr: an error, or what a person should know meanwhile."""
    print(f"rollguard: {printable(text)}", file=sys.stderr, flush=True)


def print_unchanged(text: str) -> None:
    """Print code or a diff in a pipe: every character as it is."""
    sys.stdout.write(text)


def print_pairs(values: Mapping[str, Any]) -> None:
    """Print a line for each value; a line for each item of a list and of a mapping.

    On a terminal a long line wraps at its edge, without other spaces or line breaks.
    """
    lines = named(values)
    width = min(max((len(name) for name, _ in lines), default=0), _WIDEST_NAME)
    console = _terminal() if on_terminal() else None
    for name, text in lines:
        if console is None:
            print(f"{name:<{width}}  {text}")
        else:
            line = Text.assemble((f"{name:<{width}}", "bold"), "  ", text)
            console.print(line, soft_wrap=True)


def print_table(
    columns: Columns, rows: Iterable[Sequence[Any]], *, title: str | None = None
) -> None:
    """Print a table; the cell of a value that is None or "" is empty.

    A row has a value for each name in ``columns``, the grouped ones included. The items of a list
    stand below each other on a terminal.
    """
    groups = [
        [printable(name) for name in ([each] if isinstance(each, str) else each)]
        for each in columns
    ]
    if on_terminal():
        _print_framed(groups, rows, title)
        return
    if title is not None:
        print_line(title)
    print("\t".join(name for group in groups for name in group))
    for row in rows:
        print("\t".join(map(_cell, row)))


def _cell(value: Any, between: str = ", ") -> str:
    if isinstance(value, list | tuple):
        return between.join(map(value_text, value))
    return "" if value is None or value == "" else value_text(value)


def _print_framed(
    groups: Sequence[Sequence[str]], rows: Iterable[Sequence[Any]], title: str | None
) -> None:
    table = Table(title=None if title is None else Text(printable(title)))
    parts = [_parts(groups, row) for row in rows]
    console, whole = _terminal(), [_whole_width(column) for column in zip(*parts, strict=True)]
    others = whole.count(0)
    is_wide = sum(whole) + _FRAME * len(groups) + _NARROWEST * others < console.width
    for index, group in enumerate(groups):
        no_wrap = is_wide and parts != [] and whole[index] > 0
        table.add_column(group[0], overflow="fold", no_wrap=no_wrap)
    for row in parts:
        lines = ([_cell(value, "\n") for value in part] for part in row)
        table.add_row(*(Text("\n".join(filter(None, each))) for each in lines))
    console.print(table)


def _parts(groups: Sequence[Sequence[str]], row: Sequence[Any]) -> list[list[Any]]:
    """Return the values of each column of a row."""
    values = iter(row)
    return [list(islice(values, len(group))) for group in groups]


def _whole_width(column: Iterable[Iterable[Any]]) -> int:
    """Return the width of a column that has only times and ids, which stay whole; 0 for others."""
    values = [each for part in column for each in part if each not in (None, "")]
    if not all(isinstance(each, datetime | UUID) for each in values):
        return 0
    return max((len(value_text(each)) for each in values), default=0)


def _terminal() -> Console:
    """Return the terminal; without emoji, markup and colours of ours in what it prints."""
    return Console(markup=False, emoji=False, highlight=False)
