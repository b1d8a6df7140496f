"""The log of one partition, as each policy folds it."""

from collections.abc import Sequence

from policy.backtest.requested_policy import RequestedPolicy
from policy.decision.fold import fold
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE
from policy.state.outage_watch import OutageWatch, stated_origin
from policy.state.row import Row
from schemas.rollback import RollbackCommand
from schemas.rules.outages import OutageRules


class PartitionLog:
    """The rows of all tools of a partition for each policy, and what is known about its outages.

    Outages follow from the log of all tools together. Whose failures those in it are is read by the
    lists of the first policy that watches outages.
    """

    def __init__(self, policies: Sequence[RequestedPolicy], outages: OutageRules) -> None:
        self._policies = policies
        self._rows: list[dict[str, Row]] = [{} for _ in policies]
        self._outages = outages
        watching = [each for each in policies if each.watches_outages]
        self._watch = OutageWatch() if watching else None
        self._origin_of = watching[0].origin_of if watching else stated_origin
        self._timeline = NO_OUTAGE

    def row(self, tool_name: str) -> Row | None:
        """Return the first policy's row of the tool; None if it was never activated."""
        return self._rows[0].get(tool_name)

    def follow(self, log: Sequence[LogRecord]) -> None:
        """Learn about outages from the part of the log that is read next."""
        if self._watch is not None:
            self._timeline = self._watch.follow(
                log, self._outages, self._known_since, self._origin_of
            )

    def _known_since(self, key: bytes) -> int | None:
        row = self.row(key.decode())
        return None if row is None else row.first_activated

    def read(self, record: LogRecord) -> list[RollbackCommand | None]:
        """Return the command that the next record demands by each policy. Offsets ascend."""
        tool = record.entry.tool_name
        commands = []
        for policy, rows in zip(self._policies, self._rows, strict=True):
            row, command = fold(rows.get(tool), record, policy.of(tool), self._timeline)
            if row is not None:
                rows[tool] = row
            commands.append(command)
        return commands
