"""The measurements of a benchmark, and the cells of its table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from documentation.tables import TableCell, print_table


@dataclass(frozen=True)
class Result:
    """One quantity, with its value in each round.

    In the table of its part, ``what`` names the row and ``measure`` the column. ``unit`` is "" if
    the values are plain numbers.
    """

    part: str
    what: str
    measure: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    @property
    def heading(self) -> str:
        """The heading of the column: the measure with its unit."""
        return f"{self.measure}, {self.unit}" if self.unit else self.measure

    @property
    def shown(self) -> str:
        """The median; if there are several rounds, also the least and the greatest value."""
        if len(self.values) == 1:
            return _number(self.values[0])
        least, most = min(self.values), max(self.values)
        return f"{_number(self.median)} ({_number(least)}–{_number(most)})"


def quantiles(part: str, what: str, rounds_s: Sequence[Sequence[float]]) -> list[Result]:
    """Return p50, p99 and the maximum of each round, in milliseconds.

    ``rounds_s`` holds the times of each round, in seconds.
    """
    rounds = [[1000 * taken_s for taken_s in each] for each in rounds_s]
    cuts = [statistics.quantiles(each, n=100, method="inclusive") for each in rounds]
    return [
        Result(part, what, "p50", "ms", tuple(cut[49] for cut in cuts)),
        Result(part, what, "p99", "ms", tuple(cut[98] for cut in cuts)),
        Result(part, what, "max", "ms", tuple(max(each) for each in rounds)),
    ]


def cells_of(results: Sequence[Result]) -> list[TableCell]:
    """Return a cell of the table for each result."""
    return [TableCell(result.what, result.heading, result.shown) for result in results]


def show(part: str, results: Sequence[Result]) -> None:
    """Print the table of a part."""
    print_table(part, cells_of(results))


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"
