"""The tools of several partitions: each partition's detector, and the applier that sees all tools.

A detector knows its partition only. The applier knows what the recorder has stored of all tools. It
does not carry a command out if that shows an outage, and tells the detector so through the log.
"""

from collections import deque
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.rollbacks.fleet_outage import SeenTool, loudest_in_outage, moments_of, others_are_well
from policy.state.log import LogRecord
from policy.state.outage_watch import OutageWatch
from policy.state.row import Row
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.rollback import RollbackCommand
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules
from simulate.worlds.histories import Entry, History, activation, log_of

LAG_MS: Final = 1_000
"""The recorder is so far behind, and the applier's answer reaches the detector after so long."""
_OUTAGES: Final = OutageRules()


class _Partition:
    """The detector of one partition, record by record."""

    def __init__(self, rules: Rules) -> None:
        self._policy = policy_for(rules)
        self._rows: dict[bytes, Row] = {}
        self._watch = OutageWatch()
        self._offset = 0

    def read(self, at_ms: int, entry: Entry) -> RollbackCommand | None:
        record = LogRecord.of(self._offset, at_ms, entry)
        self._offset += 1
        timeline = self._watch.follow([record], _OUTAGES, self._known_since)
        row, command = fold(self._rows.get(record.key), record, self._policy, timeline)
        if row is not None:
            self._rows[record.key] = row
        return command

    def _known_since(self, key: bytes) -> int | None:
        row = self._rows.get(key)
        return None if row is None else row.first_activated


class _Recorded:
    """What the recorder has stored of one tool."""

    def __init__(self) -> None:
        self.seen: deque[tuple[int, bool]] = deque(maxlen=200)
        """When it was executed, and whether that failed, the newest last."""
        self.executions = self.failures = 0
        self.has_succeeded = False
        """Whether the current version has."""

    def add(self, at_ms: int, entry: Entry) -> None:
        if not isinstance(entry, ExecutionEntry):
            self.has_succeeded = False
            return
        self.seen.append((at_ms, not entry.success))
        self.executions += 1
        self.failures += not entry.success
        self.has_succeeded |= entry.success

    def lately(self, moment_ms: int, known_ms: int) -> SeenTool | None:
        for at_ms, failed in reversed(self.seen):
            if at_ms <= min(moment_ms, known_ms):
                is_late = at_ms <= moment_ms - _OUTAGES.outage_window_s * 1_000
                if is_late or not self.has_succeeded:
                    return None
                return SeenTool(failed, "", self.executions, self.failures)
        return None


class _Told(NamedTuple):
    """An answer of the applier that the log will have."""

    at_ms: int
    partition: int
    entry: Entry


class Fleet:
    """All partitions, and the applier."""

    def __init__(self, partitions: int, rules: Rules) -> None:
        self._partitions = [_Partition(rules) for _ in range(partitions)]
        self._recorded: dict[str, _Recorded] = {}
        self._told: deque[_Told] = deque()

    def read(self, at_ms: int, partition: int, entry: Entry) -> RollbackCommand | None:
        """Read an entry of a partition; return the command that is carried out because of it."""
        while self._told and self._told[0].at_ms <= at_ms:
            told = self._told.popleft()
            self._partitions[told.partition].read(told.at_ms, told.entry)
        command = self._partitions[partition].read(at_ms, entry)
        self._recorded.setdefault(entry.tool_name, _Recorded()).add(at_ms, entry)
        if command is None or not self._is_outage(command, at_ms):
            return command
        number = command.from_version_id or 0
        repeated = activation(command.tool_name, number, at_ms)
        answer = repeated.model_copy(update={"outage": command.command_id})
        self._told.append(_Told(at_ms + LAG_MS, partition, answer))
        return None

    def _is_outage(self, command: RollbackCommand, at_ms: int) -> bool:
        return any(
            self._is_outage_at(micros_of(moment) // 1_000, at_ms)
            for moment in moments_of(command.issued_at)
        )

    def _is_outage_at(self, moment_ms: int, now_ms: int) -> bool:
        seen = (each.lately(moment_ms, now_ms - LAG_MS) for each in self._recorded.values())
        tools = [tool for tool in seen if tool is not None]
        # All executions are of one producer, so there are no others.
        return loudest_in_outage(tools, _OUTAGES) is not None and not others_are_well((), _OUTAGES)


def rolled_back_in_fleet(partitions: Sequence[Sequence[History]], rules: Rules) -> dict[str, int]:
    """Return, by tool, when its second version was rolled back first, in milliseconds."""
    log = sorted(
        (
            (at_ms, partition, entry)
            for partition, histories in enumerate(partitions)
            for history in histories
            for at_ms, entry in log_of(history)
        ),
        key=itemgetter(0),
    )
    fleet, found = Fleet(len(partitions), rules), dict[str, int]()
    for at_ms, partition, entry in log:
        command = fleet.read(at_ms, partition, entry)
        if command is not None and command.from_version_id == 2:
            found.setdefault(command.tool_name, at_ms)
    return found
