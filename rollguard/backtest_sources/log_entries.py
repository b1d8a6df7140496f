"""Which entries of the log a backtest reads; the same for all sources."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from policy.backtest.derived_activations import DerivedActivations
from policy.backtest.trials import Recorded
from policy.state.log import LogEntry
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.later_verdict import LaterVerdict
from streams.partitions import partition_of


@dataclass(frozen=True)
class BacktestFilter:
    """Which entries are read: those of ``tools`` (None: of all tools), from ``since`` to ``until``.

    The time of an entry is that of its record if that is known, otherwise the execution's own.
    """

    tools: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wants_tool(self, tool_name: str) -> bool:
        """Return whether entries of this tool are read."""
        return self.tools is None or tool_name in self.tools


def completed(
    derived: DerivedActivations,
    partition: int,
    timestamp_ms: int,
    entry: LogEntry,
) -> Iterator[Recorded]:
    """Yield the entry; before it, the activation that has to be derived, if there is one."""
    if isinstance(entry, ExecutionEntry):
        activation = derived.before(entry)
        if activation is not None:
            yield Recorded(partition, timestamp_ms, activation)
        yield Recorded(partition, timestamp_ms, entry)
    elif isinstance(entry, LaterVerdict):
        yield Recorded(partition, timestamp_ms, entry)
    elif (activation := derived.instead_of(entry)) is not None:
        yield Recorded(partition, timestamp_ms, activation)


def own_time_ms(entry: LogEntry) -> int:
    """Return in ms the time of an entry whose Kafka timestamp is not known."""
    if isinstance(entry, ExecutionEntry):
        return entry.executed_us // 1000
    at = entry.activated_at if isinstance(entry, Activation) else entry.judged_at
    return micros_of(at) // 1000


def own_partition(tool_name: str, partitions: int) -> int:
    """Return the partition of a tool's log entries, if the topic has this many partitions."""
    return partition_of(tool_name.encode(), partitions)
