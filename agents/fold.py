"""One entry of a tool's log after the other: what becomes of the row, what is commanded. Pure."""

from collections.abc import Iterable

from agents.verdict import decide
from schemas.execution import Activation, Execution
from schemas.rollback import RollbackCommand
from schemas.rules import Rules
from schemas.run import Run
from streams.windows import Row, activate, count


def fold(
    row: Row | None, offset: int, timestamp_ms: int, entry: Run | Activation, rules: Rules
) -> tuple[Row | None, RollbackCommand | None]:
    """The row of the entry's tool behind this entry, and the command that it demands.

    A row that has read this offset already stays as it is: a replay changes nothing. Executions of
    a tool that was never activated have no row and are judged by nobody.
    """
    if row is not None and offset <= row.read_to:
        return row, None
    if not isinstance(entry, Run):
        return activate(row, entry, offset, rules), None
    if row is None or not count(row, entry, offset, rules):
        return row, None
    return row, decide(row, entry.tool_name, timestamp_ms * 1000, rules)


def commands_of_log(
    log: Iterable[tuple[int, int, Execution | Activation]], rules: Rules
) -> list[RollbackCommand]:
    """The commands that one tool's log of (offset, Kafka timestamp in ms, entry) demands."""
    row: Row | None = None
    commands = []
    for offset, timestamp_ms, entry in log:
        read = Run.of(entry) if isinstance(entry, Execution) else entry
        row, command = fold(row, offset, timestamp_ms, read, rules)
        if command is not None:
            commands.append(command)
    return commands
