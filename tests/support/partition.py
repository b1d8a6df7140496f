"""The log of a partition, one record after the other: what the detector does, without its batches.
Pure."""

from policy.decision.fold import fold
from policy.state.outages import CALM, OutageWatch
from policy.state.windows import Row
from schemas.execution import Activation
from schemas.execution_entry import Run
from schemas.rollback import RollbackCommand
from schemas.settings import Settings


class Partition:
    """The rows of its tools, and what is known of its outages. Offsets and times ascend."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.rows: dict[str, Row] = {}
        self.watch = OutageWatch()

    def read(
        self, offset: int, timestamp_ms: int, entry: Run | Activation
    ) -> RollbackCommand | None:
        """Take a record in; the command that it demands. ``timestamp_ms`` is the broker's."""
        tool, course = entry.tool_name, CALM
        if self._settings.is_guarded_anywhere:
            read = [(tool.encode(), (offset, timestamp_ms, entry))]
            course = self.watch.follow(read, self._settings)
        rules = self._settings.rules_of(tool)
        row, command = fold(self.rows.get(tool), offset, timestamp_ms, entry, rules, course)
        if row is not None:
            self.rows[tool] = row
        return command
