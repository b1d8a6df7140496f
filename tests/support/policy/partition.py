"""The log of a partition, folded record by record: the detector without batches."""

from policy.decision.fold import fold
from policy.decision.policies import Policies
from policy.state.log import LogEntry, LogRecord
from policy.state.outage import NO_OUTAGE
from policy.state.outage_watch import OutageWatch
from policy.state.row import Row
from schemas.rollback import RollbackCommand
from schemas.settings import Settings


class Partition:
    """The rows of a partition's tools, and its outage watch. Offsets and timestamps must ascend."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._policies = Policies(settings.rules_of)
        self.rows: dict[str, Row] = {}
        self.watch = OutageWatch()

    def read(self, offset: int, timestamp_ms: int, entry: LogEntry) -> RollbackCommand | None:
        """Fold a record, and return the command that it demands, if there is one."""
        record, timeline = LogRecord.of(offset, timestamp_ms, entry), NO_OUTAGE
        if self._settings.is_guarded_anywhere:
            timeline = self.watch.follow(
                [record], self._settings.outages, self._known_since, self._policies.origin_of
            )
        tool = entry.tool_name
        row, command = fold(self.rows.get(tool), record, self._policies.of(tool), timeline)
        if row is not None:
            self.rows[tool] = row
        return command

    def _known_since(self, key: bytes) -> int | None:
        row = self.rows.get(key.decode())
        return None if row is None else row.first_activated
