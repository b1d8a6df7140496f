"""The result of one candidate, and the check that it is as expected."""

from collections.abc import Iterator
from dataclasses import dataclass

from examples.autonomous_loop.decision import Decision
from examples.autonomous_loop.manifest import Candidate, Verdict


@dataclass(frozen=True)
class Trial:
    """One candidate that was tried, and what happened.

    ``replaced``, ``number`` and ``current`` are version numbers: of the version before, of the
    candidate, and of the version that is current in the end. ``engine_runs_current`` says whether
    the engine then runs that one. ``runs`` and ``failures`` count the engine's calls of the
    candidate; ``median_ms`` is how long a call took before and with the candidate.

    ``decision`` is None if the candidate was not rolled back. ``rejection`` says why a rollback
    was commanded but not applied. ``refusal`` says why the candidate was not deployed: then
    ``number`` is that of the version before, and nothing was run or compared.
    """

    candidate: Candidate
    verdict: Verdict
    replaced: int
    number: int
    current: int
    engine_runs_current: bool
    is_breaking: bool
    breaking_changes: tuple[str, ...]
    runs: int
    failures: int
    median_ms: tuple[float, float]
    decision: Decision | None = None
    rejection: str | None = None
    refusal: str | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each thing that is not as expected."""
        return tuple(self._find_problems())

    def _find_problems(self) -> Iterator[str]:
        expected = self.candidate.expected
        if self.refusal is not None:
            if expected.verdict != "rolled_back":
                yield f"refused, but must be {expected.verdict}"
            return
        if self.verdict != expected.verdict:
            why = f" (rejected: {self.rejection})" if self.rejection else ""
            yield f"{self.verdict}{why}, but must be {expected.verdict}"
        decision = self.decision
        if decision and decision.is_by_detector and expected.rule not in (None, decision.rule):
            yield f"decided by {decision.rule}, but must be by {expected.rule}"
        if self.is_breaking != expected.breaking:
            yield f"is_breaking_change is {self.is_breaking}, but must be {expected.breaking}"
        expected_number = self.replaced if self.verdict == "rolled_back" else self.number
        if self.current != expected_number:
            yield f"v{self.current} is current, but must be v{expected_number}"
        if not self.engine_runs_current:
            yield f"the engine does not run v{self.current}, which is current"
