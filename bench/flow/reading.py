"""Reads a value of the log as the detector does, without its checks of the key and the partition.

The programs with which the detector is compared read by this, so that all use the same functions.
"""

from policy.state.log import LogEntry
from schemas.execution import Execution, read_log_entry
from schemas.execution_entry import ExecutionEntry, read_execution_entry


def read_entry(value: bytes) -> LogEntry:
    """Return an entry of `tool-executions`; raise Rejected, which says what is wrong."""
    execution = read_execution_entry(value)
    if execution is not None:
        return execution
    entry = read_log_entry(value)
    return ExecutionEntry.of(entry) if isinstance(entry, Execution) else entry
