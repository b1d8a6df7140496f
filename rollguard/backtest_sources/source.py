"""What a backtest reads of the log, from wherever that is kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from policy.backtest.derived_activations import DerivedActivations
from policy.backtest.trials import Recorded
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from streams.partitions import partition_of


@dataclass(frozen=True)
class BacktestFilter:
    """What is read: of these tools (None: of all), from ``since`` to ``until``. The time is that of
    the record, where that is known, else the execution's own.
    """

    tools: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wants_tool(self, tool_name: str) -> bool:
        return self.tools is None or tool_name in self.tools


def completed(
    derived: DerivedActivations,
    partition: int,
    timestamp_ms: int,
    entry: ExecutionEntry | Activation,
) -> Iterator[Recorded]:
    """The entry with the activation that has to be derived in front of it, if there is one."""
    if isinstance(entry, ExecutionEntry):
        activation = derived.before(entry)
        if activation is not None:
            yield Recorded(partition, timestamp_ms, activation)
        yield Recorded(partition, timestamp_ms, entry)
    elif (activation := derived.instead_of(entry)) is not None:
        yield Recorded(partition, timestamp_ms, activation)


def own_time_ms(entry: ExecutionEntry | Activation) -> int:
    """What stands for the Kafka timestamp of an entry of which that is not known."""
    at_us = (
        entry.executed_us if isinstance(entry, ExecutionEntry) else micros_of(entry.activated_at)
    )
    return at_us // 1000


def own_partition(tool_name: str, partitions: int) -> int:
    """Where the log of a tool stands, if the topic has so many partitions."""
    return partition_of(tool_name.encode(), partitions)
