"""Policies over what was recorded: which source is read, and how far it is."""

import sys
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from policy.backtest.requested_policy import RequestedPolicy
from policy.backtest.trials import Backtest, Recorded, Trials
from rollguard.backtest_sources.jsonl import from_lines
from rollguard.backtest_sources.postgres import from_postgres
from rollguard.backtest_sources.source import BacktestFilter
from rollguard.backtest_sources.topic import from_topic
from rollguard.operations.writes import BadLine
from rollguard.printing import printable
from schemas.errors import Rejected
from schemas.settings import Settings


@dataclass
class Backtested:
    """What came of it. ``bad`` are lines of a file or records of the topic that were passed over:
    they are no entries of the log.
    """

    policies: Sequence[RequestedPolicy]
    found: Trials
    bad: int = 0


async def of_postgres(
    settings: Settings, policies: Sequence[RequestedPolicy], wanted: BacktestFilter
) -> Backtested:
    """Over the executions in Postgres. Raises Retryable and Misconfigured."""
    return Backtested(policies, await _judged(settings, policies, from_postgres(settings, wanted)))


async def of_topic(
    settings: Settings, policies: Sequence[RequestedPolicy], wanted: BacktestFilter
) -> Backtested:
    """Over the topic. Raises Retryable and Misconfigured."""
    bad: list[int] = []
    source = from_topic(settings, wanted, lambda record: bad.append(record.offset))
    return Backtested(policies, await _judged(settings, policies, source), len(bad))


async def of_lines(
    settings: Settings,
    policies: Sequence[RequestedPolicy],
    wanted: BacktestFilter,
    lines: Iterable[bytes],
) -> Backtested:
    """Over the lines of a file; bad ones are named on stderr. Raises Rejected where the file
    cannot be read.
    """
    bad = 0

    def say(line: BadLine) -> None:
        nonlocal bad
        bad += 1
        print(f"rollguard: line {line.number}: {printable(line.error)}", file=sys.stderr)

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
    """What the policies make of the source; on a terminal it is seen how far that is."""
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
