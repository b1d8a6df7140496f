"""What came of one candidate, and whether it is what must have come of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from examples.autonomous_loop.manifest import Candidate, Verdict


@dataclass(frozen=True)
class Decision:
    """The rollback of a candidate.

    ``failures`` of ``executions`` are those of the window that decided. ``failed`` are the failed
    ones among the newest, the newest first, and ``error`` is what the first of them came to.
    ``issued_by`` is whoever commanded it first. ``latency_s`` is from the end of the call that
    decided to the outcome read back; None where this engine did not make that call.
    """

    tier: str
    reason: str
    issued_by: str
    executions: int
    failures: int
    failed: tuple[UUID, ...]
    error: str
    latency_s: float | None

    @property
    def rule(self) -> str:
        """The tier and the reason."""
        return f"{self.tier} {self.reason}"

    @property
    def is_at_once(self) -> bool:
        """Whether it was decided at the first execution at which a rule held: by the detector. The
        monitor looks when its time comes, when an earlier rule of the list may hold as well.
        """
        return self.issued_by == "detector"


@dataclass(frozen=True)
class Trial:
    """One candidate, tried.

    ``replaced`` and ``number`` are the numbers of the version before and of the candidate,
    ``current`` that of the version that is current in the end, and ``engine_runs_current`` whether
    that is what the engine then runs. ``runs`` and ``failures`` are the engine's, of the candidate;
    ``median_ms`` is how long a run took before and with it. ``decision`` is None unless it was
    rolled back; ``rejection`` is why a rollback that was commanded was not done. ``refusal`` is why
    it was not deployed: it has no number then but that of the version before, and nothing was run
    or compared.
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
        """What went otherwise than it must, in a sentence each; empty where nothing did."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[str]:
        expected = self.candidate.expected
        if self.refusal is not None:
            if expected.verdict != "rolled_back":
                yield f"refused, but must be {expected.verdict}"
            return
        if self.verdict != expected.verdict:
            why = f" (rejected: {self.rejection})" if self.rejection else ""
            yield f"{self.verdict}{why}, but must be {expected.verdict}"
        decision = self.decision
        if decision and decision.is_at_once and expected.rule not in (None, decision.rule):
            yield f"decided by {decision.rule}, but must be by {expected.rule}"
        if self.is_breaking != expected.breaking:
            yield f"is_breaking_change is {self.is_breaking}, but must be {expected.breaking}"
        must_be = self.replaced if self.verdict == "rolled_back" else self.number
        if self.current != must_be:
            yield f"version {self.current} is current, but must be {must_be}"
        if not self.engine_runs_current:
            yield f"the engine does not run version {self.current}, which is current"
