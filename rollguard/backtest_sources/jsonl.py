"""The log from a file: the values of the topic, one JSON object a line, in the log's order."""

from collections.abc import AsyncGenerator, Callable, Iterable
from itertools import islice

from policy.backtest.derived_activations import DerivedActivations
from policy.backtest.trials import Recorded
from policy.state.log import LogEntry
from rollguard.backtest_sources.log_entries import (
    BacktestFilter,
    completed,
    own_partition,
    own_time_ms,
)
from rollguard.operations.records import BadLine
from schemas.errors import Rejected
from schemas.execution import Activation, Execution, read_log_entry
from schemas.execution_entry import ExecutionEntry, read_execution_entry
from schemas.fields import micros_of
from schemas.settings import Settings

_AT_ONCE = 1_000


async def from_lines(
    settings: Settings,
    wanted: BacktestFilter,
    lines: Iterable[bytes],
    on_bad: Callable[[BadLine], None],
) -> AsyncGenerator[list[Recorded], None]:
    """Yield the entries in these lines.

    ``on_bad`` is called for a line that is no entry; empty lines are skipped. For a tool whose
    activations are not in the file they are derived. An activation from before ``since`` is read
    too, because it says which version is current at ``since``.
    """
    derived, partitions = DerivedActivations(), settings.partitions
    numbered = enumerate(lines, 1)
    while part := list(islice(numbered, _AT_ONCE)):
        found: list[Recorded] = []
        for number, line in part:
            try:
                entry = _entry(line)
            except Rejected as error:
                on_bad(BadLine(number, str(error)))
                continue
            if entry is not None and _wants(wanted, entry):
                partition = own_partition(entry.tool_name, partitions)
                found += completed(derived, partition, own_time_ms(entry), entry)
        yield found


def _entry(line: bytes) -> LogEntry | None:
    if not line.strip():
        return None
    execution = read_execution_entry(line)
    if execution is not None:
        return execution
    entry = read_log_entry(line)
    return ExecutionEntry.of(entry) if isinstance(entry, Execution) else entry


def _wants(wanted: BacktestFilter, entry: LogEntry) -> bool:
    if not wanted.wants_tool(entry.tool_name):
        return False
    if wanted.until is not None and own_time_ms(entry) > micros_of(wanted.until) // 1000:
        return False
    return (
        wanted.since is None
        or isinstance(entry, Activation)
        or own_time_ms(entry) >= micros_of(wanted.since) / 1000
    )
