"""The log from Postgres: the executions in its order, and where the activations stood in it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from db.executions.log_export import committed_activations, executions_in_order, one_moment
from policy.backtest.derived_activations import DerivedActivations
from policy.backtest.placed_activations import PlacedActivations
from policy.backtest.trials import Recorded
from rollguard.backtest_sources.log_entries import (
    BacktestFilter,
    completed,
    own_partition,
    own_time_ms,
)
from rollguard.operations.connection import connection
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.settings import Settings


async def from_postgres(
    settings: Settings, wanted: BacktestFilter
) -> AsyncGenerator[list[Recorded], None]:
    """The executions that were recorded, and what Postgres knows of activations between them; of a
    tool of which it knows none they are derived. Raises Retryable and Misconfigured.
    """
    until_us = None if wanted.until is None else micros_of(wanted.until)
    async with connection(settings) as conn, one_moment(conn):
        committed = [
            each
            for each in await committed_activations(conn, wanted.tools)
            if until_us is None or micros_of(each.activation.activated_at) <= until_us
        ]
        log = _Log(settings, PlacedActivations(committed, settings.max_ahead_s * 1_000_000))
        executions = executions_in_order(conn, wanted.tools, wanted.since, wanted.until)
        async with aclosing(executions):
            async for runs in executions:
                yield log.entries(runs)
        yield log.rest()


class _Log:
    def __init__(self, settings: Settings, placed: PlacedActivations) -> None:
        self._partitions = settings.partitions
        self._placed = placed
        self._derived = DerivedActivations()

    def entries(self, runs: list[ExecutionEntry]) -> list[Recorded]:
        """The executions with their activations in front of them."""
        found: list[Recorded] = []
        for run in runs:
            if self._placed.knows(run.tool_name):
                found += map(self._recorded, self._placed.before(run))
                found.append(self._recorded(run))
            else:
                partition = own_partition(run.tool_name, self._partitions)
                found += completed(self._derived, partition, own_time_ms(run), run)
        return found

    def rest(self) -> list[Recorded]:
        """What became current behind the last executions."""
        return [self._recorded(activation) for activation in self._placed.rest()]

    def _recorded(self, entry: ExecutionEntry | Activation) -> Recorded:
        partition = own_partition(entry.tool_name, self._partitions)
        return Recorded(partition, own_time_ms(entry), entry)
