"""A table of texts, printed in the terminal or written as a section of a Markdown document."""

import textwrap
from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

_WIDTH: Final = 160
"""Columns of a table that is printed into a file or a pipe."""


class TableCell(NamedTuple):
    """One text of a table, with the names of its row and of its column."""

    row: str
    column: str
    text: str


def print_table(title: str, cells: Sequence[TableCell]) -> None:
    """Print the table; if the output is no terminal, make it as wide as the table needs."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(table(title, cells))


def table(title: str, cells: Sequence[TableCell]) -> Table:
    """Return the table for the terminal."""
    columns, rows = _grid(cells)
    made = Table("", title=title)
    for column in columns:
        made.add_column(column, justify="right")
    for row, texts in rows.items():
        made.add_row(row, *texts)
    return made


def section(name: str, about: str, conditions: str, cells: Sequence[TableCell]) -> str:
    """Return a section of a Markdown document.

    It has a heading, what the table shows (``about``), a line that says under which conditions that
    was measured, and the table.
    """
    columns, rows = _grid(cells)
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    lines += [f"| {row} | {' | '.join(texts)} |" for row, texts in rows.items()]
    text = textwrap.fill(about, 100, break_on_hyphens=False)
    return f"## {name}\n\n{text}\n\n{conditions}\n\n" + "\n".join(lines) + "\n"


def _grid(cells: Sequence[TableCell]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the columns and, by row, a text for each column, in the order of the cells.

    A text is "" if there is no cell for its row and column.
    """
    columns = list(dict.fromkeys(cell.column for cell in cells))
    rows = {cell.row: [""] * len(columns) for cell in cells}
    for cell in cells:
        rows[cell.row][columns.index(cell.column)] = cell.text
    return columns, rows
