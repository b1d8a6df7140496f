"""The quality tests as ``details.quality`` of a command and a health answer show them."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from policy.weighing.quality_tests import QualityTest


class ShareOfYes(msgspec.Struct, frozen=True):
    """How many were asked, and how many of them said yes."""

    asked: int
    found: int


class QualitySummary(msgspec.Struct, frozen=True):
    """One quality test with its numbers."""

    seen: ShareOfYes
    """Of the version that is judged: how many executions were judged or compared, and how many of
    them were bad, slow or dear."""
    baseline: ShareOfYes | None
    """The same of the baseline version; None if too little is known of it. Then nothing follows."""
    odds: float | None
    """Against the version, to 1."""
    limit: float
    """The odds from which on they condemn."""
    expected_share: float | None
    """The greatest share that is expected: a bound of the baseline's, times what is tolerated."""
    confidence: float | None
    """That the baseline's share is below the bound."""
    threshold: float | None
    """The duration in milliseconds, or the cost, from which on an execution is slow or dear."""


def quality_details(tests: Iterable[QualityTest]) -> dict[str, Any]:
    """Return each test by its reason, as dicts."""
    return {test.reason: msgspec.to_builtins(_summary(test)) for test in tests}


def quality_summary_of(details: Mapping[str, Any], reason: str) -> QualitySummary | None:
    """Return the quality test with this reason in the ``details`` of a command.

    None if there is none, or if it cannot be read: whoever issues a command may write anything.
    """
    tests = details.get("quality")
    try:
        return msgspec.convert(tests[reason], QualitySummary) if isinstance(tests, dict) else None
    except (KeyError, msgspec.ValidationError, OverflowError):
        return None


def _summary(test: QualityTest) -> QualitySummary:
    limit = 1 / test.alpha
    yes = test.seen.failure + test.seen.failure_after_failure
    seen = ShareOfYes(sum(test.seen), yes)
    if test.baseline is None:
        return QualitySummary(seen, None, None, limit, None, None, None)
    against = test.against(test.baseline)
    return QualitySummary(
        seen,
        ShareOfYes(*test.baseline),
        against.odds,
        limit,
        against.expected.failure_rate,
        against.expected.confidence,
        test.threshold,
    )
