"""Running a backtest over one of the sources, with its progress on a terminal."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from policy.backtest.requested_policy import RequestedPolicy
from policy.backtest.trials import Backtest, Recorded, Trials
from rollguard.backtest_sources.jsonl import from_lines
from rollguard.backtest_sources.log_entries import BacktestFilter
from rollguard.backtest_sources.postgres import from_postgres
from rollguard.backtest_sources.topic import from_topic
from rollguard.operations.records import BadLine
from rollguard.printing import print_note
from schemas.errors import Rejected
from schemas.settings import Settings


@dataclass
class Backtested:
    """The result of a backtest.

    ``bad`` counts lines of a file or records of the topic that were skipped because they are no
    entries of the log.
    """

    policies: Sequence[RequestedPolicy]
    found: Trials
    bad: int = 0


async def of_postgres(
    settings: Settings, policies: Sequence[RequestedPolicy], wanted: BacktestFilter
) -> Backtested:
    """Run the policies over the executions in Postgres. Raises Retryable and Misconfigured."""
    return Backtested(policies, await _judged(settings, policies, from_postgres(settings, wanted)))


async def of_topic(
    settings: Settings, policies: Sequence[RequestedPolicy], wanted: BacktestFilter
) -> Backtested:
    """Run the policies over the topic. Raises Retryable and Misconfigured."""
    bad: list[int] = []
    source = from_topic(settings, wanted, lambda record: bad.append(record.offset))
    return Backtested(policies, await _judged(settings, policies, source), len(bad))


async def of_lines(
    settings: Settings,
    policies: Sequence[RequestedPolicy],
    wanted: BacktestFilter,
    lines: Iterable[bytes],
) -> Backtested:
    """Run the policies over the lines of a file, and name bad lines on stderr.

    Raises Rejected if the file cannot be read.
    """
    bad = 0

    def say(line: BadLine) -> None:
        nonlocal bad
        bad += 1
        print_note(f"line {line.number}: {line.error}")

    try:
        found = await _judged(settings, policies, from_lines(settings, wanted, lines, say))
    except OSError as error:
        raise Rejected(f"the lines cannot be read: {error}") from error
    return Backtested(policies, found, bad)


async def _judged(
    settings: Settings,
    policies: Sequence[RequestedPolicy],
    source: AsyncGenerator[list[Recorded], None],
) -> Trials:
    """Return what the policies decide; on a terminal, show the progress meanwhile."""
    backtest = Backtest(policies, settings.outages)
    with _progress() as progress:
        task = progress.add_task("", total=None)
        async with aclosing(source):
            async for recorded in source:
                backtest.read(recorded)
                progress.update(task, completed=backtest.found.executions)
    return backtest.finish()


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,} executions"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
