"""The policy `seed`: the product's own rules on the product's own row."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from agents.fold import fold
from schemas.execution import ActivatedBy, Activation
from schemas.fields import time_of
from schemas.rules import Rules
from schemas.run import Run
from simulate.draws import Outcome
from streams.windows import activate, count

INTERVAL_S: Final = 5
"""Between two executions, of event time."""
_BEGIN_US: Final = 1_700_000_000_000_000
_RULES: Final = Rules()


class Seed:
    """A tool's log as the detector folds it: the target's executions, the activation of the version
    that is judged, its executions. Rolled back at the first command."""

    def __init__(self, target: Sequence[Outcome]) -> None:
        self._offset = 0
        self._row = activate(None, self._activation(1), 0, _RULES)
        for outcome in target:
            count(self._row, self._run(outcome), self._offset, _RULES)
        if target:
            self._row = activate(self._row, self._activation(2), self._offset, _RULES)

    def judge(self, outcome: Outcome) -> bool:
        run = self._run(outcome)
        _, command = fold(self._row, self._offset, run.executed_us // 1000, run, _RULES)
        return command is not None

    def _now_us(self) -> int:
        return _BEGIN_US + self._offset * INTERVAL_S * 1_000_000

    def _run(self, outcome: Outcome) -> Run:
        self._offset += 1
        return Run(
            UUID(int=self._offset),
            "tool",
            outcome is None,
            "",
            error_type=outcome,
            executed_us=self._now_us(),
        )

    def _activation(self, number: int) -> Activation:
        return Activation(
            tool_name="tool",
            version_id=number,
            version_number=number,
            code_hash=f"{number:064x}",
            activation=number,
            activated_at=time_of(self._now_us()),
            activated_by=ActivatedBy(kind="deployment", id=UUID(int=number)),
        )
