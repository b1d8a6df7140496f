"""The policy `seed`: the product's own rules on the product's own row."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.state.counting import activate, count
from policy.state.log import LogRecord
from schemas.execution_entry import ExecutionEntry
from schemas.rules.rules import Rules
from simulate.worlds.draws import Outcome
from simulate.worlds.histories import INTERVAL_MS, Call, activation, execution_entry

_BEGIN_MS: Final = 1_700_000_000_000
_RULES: Final = Rules()
_POLICY: Final = policy_for(_RULES)


class Seed:
    """Folds the log of one tool as the detector does.

    The log has the executions of the baseline version, then the activation of the version that is
    judged, then its executions, all at even intervals. The first command is the rollback.
    """

    def __init__(self, baseline: Sequence[Outcome]) -> None:
        self._offset = 0
        self._row = activate(None, activation("tool", 1, self._now_ms()), 0, _RULES)
        for outcome in baseline:
            count(self._row, self._next(outcome), self._offset, _RULES)
        if baseline:
            by_deployment = activation("tool", 2, self._now_ms())
            self._row = activate(self._row, by_deployment, self._offset, _RULES)

    def judge(self, outcome: Outcome) -> bool:
        """Fold the execution in; return whether the detector commands a rollback."""
        counted = self._next(outcome)
        _, command = fold(self._row, LogRecord.of(self._offset, self._now_ms(), counted), _POLICY)
        return command is not None

    def _now_ms(self) -> int:
        return _BEGIN_MS + self._offset * INTERVAL_MS

    def _next(self, outcome: Outcome) -> ExecutionEntry:
        self._offset += 1
        return execution_entry("tool", Call(self._now_ms(), outcome), UUID(int=self._offset))
