"""The log of a partition, one record after the other: what the detector does, without its batches.
Pure.
"""

from policy.decision.fold import fold
from policy.state.outages import NO_OUTAGE, OutageWatch
from policy.state.row import Row
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.rollback import RollbackCommand
from schemas.settings import Settings


class Partition:
    """The rows of its tools, and what is known of its outages. Offsets and times ascend."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.rows: dict[str, Row] = {}
        self.watch = OutageWatch()

    def read(
        self, offset: int, timestamp_ms: int, entry: ExecutionEntry | Activation
    ) -> RollbackCommand | None:
        """Take a record in; the command that it demands. ``timestamp_ms`` is the broker's."""
        tool, timeline = entry.tool_name, NO_OUTAGE
        if self._settings.is_guarded_anywhere:
            read = [(tool.encode(), (offset, timestamp_ms, entry))]
            timeline = self.watch.follow(read, self._settings.outages)
        rules = self._settings.rules_of(tool)
        row, command = fold(self.rows.get(tool), offset, timestamp_ms, entry, rules, timeline)
        if row is not None:
            self.rows[tool] = row
        return command
