"""The policy `guarded`: the product's own evidence, with its own numbers."""

from collections.abc import Sequence
from typing import Final

from policy.state.evidence import Baseline, Evidence
from policy.weighing.betting_tables import BettingTables, EvidenceNumbers, betting_tables_of
from policy.weighing.weighing import condemns
from schemas.failures.error_class import SIGNATURE_ERRORS
from schemas.rules.rules import Rules
from simulate.worlds.draws import Outcome

_NUMBERS: Final = EvidenceNumbers.of(Rules())
_NUMBERS_OF_BREAKING: Final = EvidenceNumbers.of_breaking(Rules())


class Guarded:
    """Judges at every failure, because a success never condemns."""

    _numbers = _NUMBERS

    def __init__(self, baseline: Sequence[Outcome]) -> None:
        self._baseline = _baseline_of(baseline)
        self._tables = betting_tables_of(self._baseline, self._numbers)
        self._evidence = Evidence()

    def judge(self, outcome: Outcome) -> bool:
        """Count the execution; return whether the evidence condemns the version."""
        _count(self._evidence, outcome, self._tables)
        return outcome is not None and condemns(self._evidence, self._baseline, self._numbers)


class WatchedCloser(Guarded):
    """Judges a version that breaks calls."""

    _numbers = _NUMBERS_OF_BREAKING


def _baseline_of(outcomes: Sequence[Outcome]) -> Baseline | None:
    """Return the baseline that these outcomes leave; None if the tool had no version before."""
    if not outcomes:
        return None
    evidence, tables = Evidence(), betting_tables_of(None, _NUMBERS)
    for outcome in outcomes:
        _count(evidence, outcome, tables)
    return evidence.baseline


def _count(evidence: Evidence, outcome: Outcome, tables: BettingTables) -> None:
    if outcome is None:
        evidence.add_success()
    else:
        evidence.add_failure(outcome in SIGNATURE_ERRORS, tables.break_bets)
