"""The expectations of the demo, its results, and the table that shows both."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from schemas.printable import printable


@dataclass(frozen=True)
class DemoResult:
    """One row of the table: what was expected, and what happened.

    ``latency_s`` is the time from the send of the deciding execution until the outcome was read
    back; None if there was none. ``decided_by`` is the rule that decided, if any rule may decide.
    """

    title: str
    expected: str
    happened: str
    latency_s: float | None
    decided_by: str = ""

    @property
    def is_as_expected(self) -> bool:
        """Whether the demo went as it must."""
        return self.expected == self.happened


def print_results(console: Console, results: Sequence[DemoResult]) -> None:
    """Print the table."""
    table = Table(title="What was expected and what happened")
    for column in ("", "expected", "happened"):
        table.add_column(column)
    table.add_column("after", justify="right", no_wrap=True)
    for each in results:
        table.add_row(
            *(printable(text) for text in (each.title, each.expected, _happened(each))),
            "" if each.latency_s is None else f"{1000 * each.latency_s:.0f} ms",
            style=None if each.is_as_expected else "bold red",
        )
    console.print(table, markup=False)
    console.print(
        "'after': from the send of the deciding execution to the outcome read back, on this "
        "machine, busy with all of this"
    )


def _happened(result: DemoResult) -> str:
    if not result.is_as_expected:
        return result.happened
    return f"as expected, by {result.decided_by}" if result.decided_by else "as expected"
