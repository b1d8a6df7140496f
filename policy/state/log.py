"""One record of the topic `tool-executions`, as everything that reads the log in order takes it."""

from typing import NamedTuple, Self

import msgspec

from schemas.execution import Activation, Execution
from schemas.execution_entry import ExecutionEntry
from schemas.later_verdict import LaterVerdict

LogEntry = ExecutionEntry | Activation | LaterVerdict
"""The fact in one record of the log: a tool was executed, a version of it became current, or an
execution was judged later."""


class Source(NamedTuple):
    """The position of the record of which a record is a copy, in the same topic."""

    partition: int
    offset: int


class LogRecord(msgspec.Struct, gc=False):
    """An entry of the log, with its position and its time.

    A struct, because one is made for every execution, and a NamedTuple takes four times as long.
    """

    key: bytes
    """The name of the tool in UTF-8, which is the key of the Kafka record."""
    offset: int
    """The offset in its partition."""
    timestamp_ms: int
    """The Kafka timestamp, in milliseconds."""
    entry: LogEntry
    source: Source | None = None
    """Of which record it is a copy, if it was forwarded (``policy.state.forwarding``)."""

    @classmethod
    def of(
        cls,
        offset: int,
        timestamp_ms: int,
        entry: Execution | LogEntry,
        source: Source | None = None,
    ) -> Self:
        """Return the record of this entry, with the key that Kafka has for it."""
        read = ExecutionEntry.of(entry) if isinstance(entry, Execution) else entry
        return cls(read.tool_name.encode(), offset, timestamp_ms, read, source)
