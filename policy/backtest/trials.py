"""Policies over one log: what each would have done to every activation of a version. Pure.

The log goes on as it was recorded, whatever a policy would have done. So of each activation a
policy's first command counts: behind it the log would have been another one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from policy.backtest.derived_activations import is_derived
from policy.backtest.partition_log import PartitionLog
from policy.backtest.requested_policy import RequestedPolicy
from policy.decision.fold import Numbered
from policy.state.row import is_of_current
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.outages import OutageRules
from schemas.rollback import RollbackCommand


class Recorded(NamedTuple):
    """An entry of the log of a partition, with its Kafka timestamp in milliseconds, or where that
    is not known with its own time.

    ``offset`` is given for all entries of a partition or for none: then they are counted.
    """

    partition: int
    timestamp_ms: int
    entry: ExecutionEntry | Activation
    offset: int | None = None


class Decision(NamedTuple):
    """A policy's first command for an activation: when the deciding execution was executed, and how
    many executions and failures of the activation had counted with it.
    """

    executed_us: int
    executions: int
    failures: int
    command: RollbackCommand


@dataclass(slots=True)
class Trial:
    """An activation of a version: what was seen of it, what each policy makes of it (None: it lets
    it be), and whether the log says that it was rolled back, to which version and when.

    ``version_number`` is None where the activation was derived.
    """

    tool_name: str
    version_id: int
    version_number: int | None
    activation: int
    activated_us: int
    decisions: list[Decision | None]
    executions: int = 0
    failures: int = 0
    rolled_back_to: int | None = None
    rolled_back_us: int | None = None

    @property
    def was_rolled_back(self) -> bool:
        return self.rolled_back_to is not None


@dataclass
class Trials:
    """What came of a log. ``notable`` are the activations that a policy or the log rolls back, in
    the order in which they ended; ``judged`` is how many had executions at all. ``unknown`` are
    executions of tools of which no version is known: nobody judges them.
    """

    tools: int = 0
    executions: int = 0
    unknown: int = 0
    judged: int = 0
    notable: list[Trial] = field(default_factory=list)


class Backtest:
    """Reads a log once and lets several policies judge it side by side."""

    def __init__(self, policies: Sequence[RequestedPolicy], outages: OutageRules) -> None:
        self.found = Trials()
        self._policies = policies
        self._outages = outages
        self._logs: dict[int, PartitionLog] = {}
        self._trials: dict[str, Trial] = {}
        self._entries = 0

    def read(self, recorded: Iterable[Recorded]) -> None:
        """The next entries, of each partition in the order of its log."""
        stretches: dict[int, list[Numbered]] = {}
        for partition, timestamp_ms, entry, offset in recorded:
            self._entries += 1
            place = self._entries if offset is None else offset
            stretches.setdefault(partition, []).append((place, timestamp_ms, entry))
        for partition, stretch in stretches.items():
            log = self._logs.get(partition)
            if log is None:
                log = self._logs[partition] = PartitionLog(self._policies, self._outages)
            log.follow(stretch)
            for numbered in stretch:
                entry = numbered[2]
                if isinstance(entry, ExecutionEntry):
                    self._judge(log, numbered, entry)
                else:
                    self._activate(log, numbered, entry)

    def finish(self) -> Trials:
        """What came of all that was read; nothing is read afterwards."""
        for trial in self._trials.values():
            self._close(trial)
        self.found.tools = len(self._trials)
        self._trials.clear()
        return self.found

    def _judge(self, log: PartitionLog, numbered: Numbered, run: ExecutionEntry) -> None:
        self.found.executions += 1
        trial, row = self._trials.get(run.tool_name), log.row(run.tool_name)
        if trial is None or row is None:
            self.found.unknown += 1
            return
        if is_of_current(row, run) and run.execution_id.bytes not in row.ring.ids:
            trial.executions += 1
            trial.failures += not run.success
        for number, command in enumerate(log.read(numbered)):
            if command is not None and trial.decisions[number] is None:
                trial.decisions[number] = Decision(
                    run.executed_us, trial.executions, trial.failures, command
                )

    def _activate(self, log: PartitionLog, numbered: Numbered, activation: Activation) -> None:
        log.read(numbered)
        tool, before = activation.tool_name, self._trials.get(activation.tool_name)
        row = log.row(tool)
        assert row is not None, "an activation makes a row"
        if before is not None:
            if before.activation == row.activation:
                return  # it says again what was known
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
        )

    def _close(self, trial: Trial) -> None:
        if trial.executions:
            self.found.judged += 1
            if trial.was_rolled_back or any(trial.decisions):
                self.found.notable.append(trial)
