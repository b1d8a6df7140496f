"""The log from Postgres: executions in the log's order, and the activations between them."""

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
    """Yield the executions that were recorded, with the activations between them.

    If Postgres knows no activation of a tool, the tool's activations are derived from its
    executions. Raises Retryable and Misconfigured.
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
            async for batch in executions:
                yield log.entries(batch)
        yield log.rest()


class _Log:
    """The entries of the log, with each activation before the executions that follow it."""

    def __init__(self, settings: Settings, placed: PlacedActivations) -> None:
        self._partitions = settings.partitions
        self._placed = placed
        self._derived = DerivedActivations()

    def entries(self, executions: list[ExecutionEntry]) -> list[Recorded]:
        """Return the executions, and before each the activations that it needs."""
        found: list[Recorded] = []
        for execution in executions:
            if self._placed.knows(execution.tool_name):
                found += map(self._recorded, self._placed.before(execution))
                found.append(self._recorded(execution))
            else:
                partition = own_partition(execution.tool_name, self._partitions)
                found += completed(self._derived, partition, own_time_ms(execution), execution)
        return found

    def rest(self) -> list[Recorded]:
        """Return the activations after the last execution."""
        return [self._recorded(activation) for activation in self._placed.rest()]

    def _recorded(self, entry: ExecutionEntry | Activation) -> Recorded:
        partition = own_partition(entry.tool_name, self._partitions)
        return Recorded(partition, own_time_ms(entry), entry)
