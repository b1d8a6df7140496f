"""The log of one partition, as one policy folds it. Pure."""

from agents.fold import fold
from backtest.policy import Policy
from schemas.execution import Activation
from schemas.rollback import RollbackCommand
from schemas.run import Run
from streams.windows import Row


class PartitionLog:
    """The rows of all tools of a partition, which is read in its own order: what is decided may
    rest on more than the one tool's log."""

    def __init__(self, policy: Policy) -> None:
        self._rules_of = policy.rules_of
        self._rows: dict[str, Row] = {}

    def row(self, tool_name: str) -> Row | None:
        """None for a tool that was never activated."""
        return self._rows.get(tool_name)

    def read(
        self, offset: int, timestamp_ms: int, entry: Run | Activation
    ) -> RollbackCommand | None:
        """The command that the next entry demands. Offsets ascend."""
        tool = entry.tool_name
        row, command = fold(self._rows.get(tool), offset, timestamp_ms, entry, self._rules_of(tool))
        if row is not None:
            self._rows[tool] = row
        return command
