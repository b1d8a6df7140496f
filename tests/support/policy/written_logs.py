"""Logs of one tool, written by hand. Times are seconds after ``START``."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.execution import ActivatedBy, Activation, Execution
from schemas.fields import micros_of
from schemas.later_verdict import LaterVerdict
from tests.support.policy.generated_logs import HASH, START, TOOL
from tests.support.policy.oracle.log import Entry


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass
class Script:
    """A log written by hand. Kafka timestamps are the times of the entries, but never decrease."""

    log: list[Entry] = field(default_factory=list)
    version: int = 0
    activation: int = 0
    executions: int = 0

    def deploy(self, seconds: float) -> "Script":
        """Deploy a new version, with the next number."""
        seen = [each.entry.version_id for each in self.log if isinstance(each.entry, Activation)]
        return self._activate("deployment", max(seen, default=0) + 1, seconds)

    def roll_back(self, version: int, seconds: float) -> "Script":
        return self._activate("rollback", version, seconds)

    def _activate(self, kind: Any, version: int, seconds: float) -> "Script":
        self.version = version
        self.activation += 1
        activation = Activation(
            tool_name=TOOL,
            version_id=version,
            version_number=version,
            code_hash=HASH,
            activation=self.activation,
            activated_at=at(seconds),
            activated_by=ActivatedBy(kind=kind, id=UUID(int=self.activation)),
        )
        return self.append(activation, seconds)

    def run(
        self,
        outcomes: str,
        *times: float,
        error: str | None = "HTTPError",
        execution_id: int | None = None,
        version: int | None = None,
        timestamp: float | None = None,
    ) -> "Script":
        """Append executions of the current version: '.' is a success, 'F' a failure.

        Their ids count from 1.
        """
        assert len(outcomes) == len(times)
        for outcome, seconds in zip(outcomes, times, strict=True):
            self.executions += 1
            execution = Execution(
                execution_id=UUID(int=execution_id or self.executions),
                tool_name=TOOL,
                version_id=version or self.version,
                success=outcome == ".",
                error_type=None if outcome == "." else error,
                executed_at=at(seconds),
            )
            self.append(execution, seconds if timestamp is None else timestamp)
        return self

    def repeat(self, index: int) -> "Script":
        """Append the record at this index once more."""
        return self.append(self.log[index].entry, 0)

    def append(self, entry: Execution | Activation | LaterVerdict, timestamp: float) -> "Script":
        timestamp_ms = -(-micros_of(at(timestamp)) // 1000)
        if self.log:
            timestamp_ms = max(timestamp_ms, self.log[-1].timestamp_ms)
        self.log.append(Entry(len(self.log), timestamp_ms, entry))
        return self


def every(step: float, how_many: int, first: float) -> list[float]:
    return [first + step * index for index in range(how_many)]


def with_predecessor(outcomes: str, step: float = 600.0) -> Script:
    """Return a log of a version with these outcomes, which a second version replaces at time 0.

    If they are 600 s apart, `recent` holds one execution and 1,800 s hold at most four: no
    immediate or fast rule can hold. The standard rule cannot hold without a baseline.
    """
    times = every(step, len(outcomes), -step * len(outcomes))
    return Script().deploy(times[0]).run(outcomes, *times).deploy(0)
