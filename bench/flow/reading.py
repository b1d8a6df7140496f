"""How the detector reads a value of the log, without what it asks of the record around it.

For those that it is measured beside: all read by the same functions (``streams.records``).
"""

from schemas.execution import Activation, Execution, read_log_entry
from schemas.execution_entry import ExecutionEntry, read_execution_entry


def read_entry(value: bytes) -> ExecutionEntry | Activation:
    """An entry of `tool-executions`. Raises Rejected with what is wrong."""
    run = read_execution_entry(value)
    if run is not None:
        return run
    entry = read_log_entry(value)
    return ExecutionEntry.of(entry) if isinstance(entry, Execution) else entry
