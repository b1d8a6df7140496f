"""What was measured, as a table for the terminal and as a section of ``docs/bench.md``."""

import re
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

HEADER: Final = """# Benchmarks

`make bench` writes this file, `make bench PART=latency` that section of it. A cell is the median of
the rounds, with the least and the most of them where there were several; what is compared ran in
turn in the same run. CPU time is of a process in user and kernel mode, all threads. Kafka,
Postgres, the workers and what sends the load share the machine.
"""
_WIDTH: Final = 160
_SECTION: Final = re.compile(r"^## (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """One quantity, in each round. In its part's table ``what`` is the row and ``measure`` the
    column; ``unit`` is "" for a plain number.
    """

    part: str
    what: str
    measure: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def heading(self) -> str:
        return f"{self.measure}, {self.unit}" if self.unit else self.measure

    @property
    def shown(self) -> str:
        """The median, and the spread where there is one."""
        if len(self.values) == 1:
            return _number(self.values[0])
        least, most = min(self.values), max(self.values)
        return f"{_number(self.median)} ({_number(least)}–{_number(most)})"


def quantiles(part: str, what: str, rounds_s: Sequence[Sequence[float]]) -> list[Result]:
    """p50, p99 and the most of each round's times, which are in seconds, in milliseconds."""
    rounds = [[1000 * taken_s for taken_s in each] for each in rounds_s]
    cuts = [statistics.quantiles(each, n=100, method="inclusive") for each in rounds]
    return [
        Result(part, what, "p50", "ms", tuple(cut[49] for cut in cuts)),
        Result(part, what, "p99", "ms", tuple(cut[98] for cut in cuts)),
        Result(part, what, "max", "ms", tuple(max(each) for each in rounds)),
    ]


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def _grid(results: Sequence[Result]) -> tuple[list[str], dict[str, list[str]]]:
    """The columns' headings, and the cells of each row, in the order of the results."""
    headings = list(dict.fromkeys(result.heading for result in results))
    rows = {result.what: [""] * len(headings) for result in results}
    for result in results:
        rows[result.what][headings.index(result.heading)] = result.shown
    return headings, rows


def show(part: str, results: Sequence[Result]) -> None:
    """Print the table; what is not read in a terminal is as wide as the table needs."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(table(part, results))


def table(part: str, results: Sequence[Result]) -> Table:
    """For the terminal."""
    headings, rows = _grid(results)
    made = Table("", title=part)
    for heading in headings:
        made.add_column(heading, justify="right")
    for what, cells in rows.items():
        made.add_row(what, *cells)
    return made


def section(part: str, about: str, machine: str, results: Sequence[Result]) -> str:
    """For the document: a heading, what was measured, on what, and the table."""
    headings, rows = _grid(results)
    lines = [f"| | {' | '.join(headings)} |", f"|---|{'---:|' * len(headings)}"]
    lines += [f"| {what} | {' | '.join(cells)} |" for what, cells in rows.items()]
    text = textwrap.fill(about, 100, break_on_hyphens=False)
    return f"## {part}\n\n{text}\n\n{machine}\n\n" + "\n".join(lines) + "\n"


def replace_section(document: str, part: str, text: str, order: Sequence[str]) -> str:
    """The document with this part's section new and all others as they were; in this order, with
    sections of parts that are no longer there left out.
    """
    pieces = _SECTION.split(document)
    sections = {
        name: f"## {name}{body}".rstrip() + "\n"
        for name, body in zip(pieces[1::2], pieces[2::2], strict=True)
    }
    sections[part] = text
    return "\n".join([HEADER, *(sections[name] for name in order if name in sections)])


def write(path: Path, part: str, text: str, order: Sequence[str]) -> None:
    """Put a part's section into the file."""
    document = path.read_text() if path.exists() else ""
    path.write_text(replace_section(document, part, text, order))
