"""The log of one partition, as each policy folds it. Pure."""

from collections.abc import Sequence

from policy.backtest.requested_policy import RequestedPolicy
from policy.decision.fold import Numbered, fold
from policy.state.outages import NO_OUTAGE, OutageWatch
from policy.state.row import Row
from schemas.outages import OutageRules
from schemas.rollback import RollbackCommand


class PartitionLog:
    """The rows of all tools of a partition, by each policy, and what is known of its outages, which
    follows from the log of all tools together.
    """

    def __init__(self, policies: Sequence[RequestedPolicy], outages: OutageRules) -> None:
        self._rules_of = [policy.rules_of for policy in policies]
        self._rows: list[dict[str, Row]] = [{} for _ in policies]
        self._outages = outages
        self._watch = OutageWatch() if any(each.watches_outages for each in policies) else None
        self._course = NO_OUTAGE

    def row(self, tool_name: str) -> Row | None:
        """What the first policy knows of the tool; None where it was never activated."""
        return self._rows[0].get(tool_name)

    def follow(self, log: Sequence[Numbered]) -> None:
        """Learn of outages from the next stretch of the log, which is to be read next."""
        if self._watch is not None:
            keyed = ((each[2].tool_name.encode(), each) for each in log)
            self._course = self._watch.follow(keyed, self._outages)

    def read(self, numbered: Numbered) -> list[RollbackCommand | None]:
        """What the next entry demands by each policy. Offsets ascend."""
        offset, timestamp_ms, entry = numbered
        tool, timeline = entry.tool_name, self._course
        commands = []
        for rules_of, rows in zip(self._rules_of, self._rows, strict=True):
            row, command = fold(
                rows.get(tool), offset, timestamp_ms, entry, rules_of(tool), timeline
            )
            if row is not None:
                rows[tool] = row
            commands.append(command)
        return commands
