"""The policy `seed`: the product's own rules on the product's own row."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.state.counting import activate, count
from policy.state.log import LogRecord
from schemas.execution_entry import ExecutionEntry
from schemas.rules import Rules
from simulate.worlds.draws import Outcome
from simulate.worlds.histories import INTERVAL_MS, Call, activation, run

_BEGIN_MS: Final = 1_700_000_000_000
_RULES: Final = Rules()
_POLICY: Final = policy_for(_RULES)


class Seed:
    """A tool's log as the detector folds it: the target's executions, the activation of the version
    that is judged, its executions, at even intervals. Rolled back at the first command.
    """

    def __init__(self, target: Sequence[Outcome]) -> None:
        self._offset = 0
        self._row = activate(None, activation("tool", 1, self._now_ms()), 0, _RULES)
        for outcome in target:
            count(self._row, self._run(outcome), self._offset, _RULES)
        if target:
            by_deployment = activation("tool", 2, self._now_ms())
            self._row = activate(self._row, by_deployment, self._offset, _RULES)

    def judge(self, outcome: Outcome) -> bool:
        counted = self._run(outcome)
        _, command = fold(self._row, LogRecord.of(self._offset, self._now_ms(), counted), _POLICY)
        return command is not None

    def _now_ms(self) -> int:
        return _BEGIN_MS + self._offset * INTERVAL_MS

    def _run(self, outcome: Outcome) -> ExecutionEntry:
        self._offset += 1
        return run("tool", Call(self._now_ms(), outcome), UUID(int=self._offset))
