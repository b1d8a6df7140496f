"""The policy `guarded`: the product's own evidence, with its own numbers."""

from collections.abc import Sequence
from typing import Final

from policy.decision.weighing import EvidencePolicy, Stakes, reached, stakes_of
from policy.state.evidence import Baseline, Evidence
from schemas.execution import SIGNATURE_ERRORS
from simulate.worlds.draws import Outcome

_POLICY: Final = EvidencePolicy()


class Guarded:
    """Judged at every failure, as a success never condemns."""

    def __init__(self, target: Sequence[Outcome]) -> None:
        self._baseline = _baseline_of(target)
        self._stakes = stakes_of(self._baseline, _POLICY)
        self._evidence = Evidence()

    def judge(self, outcome: Outcome) -> bool:
        _count(self._evidence, outcome, self._stakes)
        return outcome is not None and reached(self._evidence, self._baseline, _POLICY)


def _baseline_of(target: Sequence[Outcome]) -> Baseline | None:
    """What the target leaves; None for a tool's first version."""
    if not target:
        return None
    evidence, stakes = Evidence(), stakes_of(None, _POLICY)
    for outcome in target:
        _count(evidence, outcome, stakes)
    return evidence.baseline


def _count(evidence: Evidence, outcome: Outcome, stakes: Stakes) -> None:
    if outcome is None:
        evidence.add_success()
    else:
        evidence.add_failure(outcome in SIGNATURE_ERRORS, stakes.break_bets)
