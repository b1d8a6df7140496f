"""Several policies over one log: what each would have done to every activation of a version.

The log goes on as it was recorded, whatever a policy would have done. So for each activation only
the first command of a policy counts: after it the log would have been another one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from policy.backtest.derived_activations import is_derived
from policy.backtest.partition_log import PartitionLog
from policy.backtest.requested_policy import RequestedPolicy
from policy.state.counting import belongs_to_activation
from policy.state.log import LogEntry, LogRecord
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.later_verdict import LaterVerdict
from schemas.rollback import RollbackCommand
from schemas.rules.outages import OutageRules


class Recorded(NamedTuple):
    """An entry of the log of a partition, as a source of a backtest has it."""

    partition: int
    timestamp_ms: int
    """The Kafka timestamp; if it is not known, the entry's own time."""
    entry: LogEntry
    offset: int | None = None
    """Given for all entries of a partition or for none; if for none, the entries are counted."""


class Decision(NamedTuple):
    """A policy's first command for an activation."""

    executed_us: int
    """When the deciding execution was executed, or the deciding verdict given."""
    executions: int
    """How many executions of the activation the policy had counted by then, that one included."""
    failures: int
    """How many of them had failed."""
    command: RollbackCommand


@dataclass(slots=True)
class Trial:
    """An activation of a version: what was seen of it, and what each policy would have done."""

    tool_name: str
    version_id: int
    version_number: int | None
    """None if the activation was derived."""
    activation: int
    activated_us: int
    decisions: list[Decision | None]
    """For each policy; None if it does not roll the version back."""
    executions: int = 0
    failures: int = 0
    rolled_back_to: int | None = None
    """The version id that the log says it was rolled back to; None if it was not."""
    rolled_back_us: int | None = None
    not_judged: list[int] = field(default_factory=list)
    """For each policy, how many of ``failures`` are not the tool's by its lists of classes."""

    @property
    def was_rolled_back(self) -> bool:
        """Whether the log says that it was rolled back."""
        return self.rolled_back_to is not None


@dataclass
class Trials:
    """The trials that were found in a log."""

    tools: int = 0
    executions: int = 0
    unknown: int = 0
    """Executions of tools of which no version is known: nobody judges them."""
    judged: int = 0
    """Activations that had executions at all."""
    notable: list[Trial] = field(default_factory=list)
    """The activations that a policy or the log rolls back, in the order in which they ended."""
    failures: int = 0
    """Failures of all activations."""
    not_judged: list[int] = field(default_factory=list)
    """For each policy, how many of them are not the tool's."""


class Backtest:
    """Reads a log once, and lets several policies judge it side by side."""

    def __init__(self, policies: Sequence[RequestedPolicy], outages: OutageRules) -> None:
        self.found = Trials(not_judged=[0] * len(policies))
        self._policies = policies
        self._outages = outages
        self._logs: dict[int, PartitionLog] = {}
        self._trials: dict[str, Trial] = {}
        self._entries = 0

    def read(self, recorded: Iterable[Recorded]) -> None:
        """Read the next entries; those of each partition in the order of its log."""
        parts: dict[int, list[LogRecord]] = {}
        for partition, timestamp_ms, entry, offset in recorded:
            self._entries += 1
            position = self._entries if offset is None else offset
            parts.setdefault(partition, []).append(LogRecord.of(position, timestamp_ms, entry))
        for partition, part in parts.items():
            log = self._logs.get(partition)
            if log is None:
                log = self._logs[partition] = PartitionLog(self._policies, self._outages)
            log.follow(part)
            for record in part:
                entry = record.entry
                if isinstance(entry, ExecutionEntry):
                    self._judge(log, record, entry)
                elif isinstance(entry, LaterVerdict):
                    self._hear(log, record, entry)
                else:
                    self._activate(log, record, entry)

    def finish(self) -> Trials:
        """Return what was found in all that was read. Nothing may be read afterwards."""
        for trial in self._trials.values():
            self._close(trial)
        self.found.tools = len(self._trials)
        self._trials.clear()
        return self.found

    def _judge(self, log: PartitionLog, record: LogRecord, execution: ExecutionEntry) -> None:
        self.found.executions += 1
        trial, row = self._trials.get(execution.tool_name), log.row(execution.tool_name)
        if trial is None or row is None:
            self.found.unknown += 1
            return
        if belongs_to_activation(row, execution) and (
            execution.execution_id.bytes not in row.ring.ids
        ):
            trial.executions += 1
            if not execution.success:
                self._count_failure(trial, execution)
        _decide(trial, execution.executed_us, log.read(record))

    def _hear(self, log: PartitionLog, record: LogRecord, verdict: LaterVerdict) -> None:
        commands, trial = log.read(record), self._trials.get(verdict.tool_name)
        if trial is not None:
            _decide(trial, micros_of(verdict.judged_at), commands)

    def _count_failure(self, trial: Trial, execution: ExecutionEntry) -> None:
        trial.failures += 1
        for index, policy in enumerate(self._policies):
            classes = policy.rules_of(execution.tool_name).failure_classes
            trial.not_judged[index] += classes.origin_of(execution) != "tool"

    def _activate(self, log: PartitionLog, record: LogRecord, activation: Activation) -> None:
        log.read(record)
        tool, before = activation.tool_name, self._trials.get(activation.tool_name)
        row = log.row(tool)
        assert row is not None, "an activation makes a row"
        if before is not None:
            if before.activation == row.activation:
                return  # it repeats what was known
            if activation.activated_by.kind == "rollback" and before.version_id != row.version_id:
                before.rolled_back_to = row.version_id
                before.rolled_back_us = micros_of(activation.activated_at)
            self._close(before)
        self._trials[tool] = Trial(
            tool,
            row.version_id,
            None if is_derived(activation) else row.version_number,
            row.activation,
            row.activated_us,
            [None] * len(self._policies),
            not_judged=[0] * len(self._policies),
        )

    def _close(self, trial: Trial) -> None:
        if trial.executions:
            self.found.judged += 1
            self.found.failures += trial.failures
            for index, others in enumerate(trial.not_judged):
                self.found.not_judged[index] += others
            if trial.was_rolled_back or any(trial.decisions):
                self.found.notable.append(trial)


def _decide(trial: Trial, at_us: int, commands: Sequence[RollbackCommand | None]) -> None:
    """Note the first command of each policy."""
    for index, command in enumerate(commands):
        if command is not None and trial.decisions[index] is None:
            others = trial.not_judged[index]
            trial.decisions[index] = Decision(
                at_us, trial.executions - others, trial.failures - others, command
            )
