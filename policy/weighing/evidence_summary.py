"""The evidence as ``details.evidence`` of a command shows it, and read back from there."""

from collections.abc import Mapping
from typing import Any

import msgspec

from policy.state.evidence import Baseline
from policy.weighing.weighing import TestName, WeighedEvidence


class CountsOfVersion(msgspec.Struct, frozen=True):
    """The counts of a version as messages show them (``policy.state.evidence.Baseline``)."""

    executions: int
    failures: int
    signature_errors: int
    after_failure: int
    failures_after_failure: int


class EvidenceSummary(msgspec.Struct, frozen=True):
    """The test that is nearest to its limit, with its numbers."""

    test: TestName
    odds: float
    """Against the version, to 1; for a break, the sum of its detector."""
    limit: float
    """The odds from which on they condemn."""
    expected_success_rate: float
    """The success rate in the long run, at the rates below; for signature errors, every execution
    without one counts as a success."""
    expected_failure_rate: float
    """The failure rate after a success: a bound of the baseline's, or assumed, plus the tolerated
    drop."""
    expected_repeat_rate: float
    """The failure rate after a failure, in the same way."""
    confidence: float | None
    """That the baseline's failure rate is below the bound; None if it is assumed."""
    assumed: bool
    """Whether the expected rates are assumed, because too little is known of the version before."""
    baseline: CountsOfVersion | None
    """The counts of the baseline version; None if the rates are assumed."""
    seen: CountsOfVersion
    """The counts of the version that is judged, since its activation."""


def summary_details(weighed: WeighedEvidence) -> dict[str, Any]:
    """Return what ``details`` hold under ``evidence``: an ``EvidenceSummary`` as a dict."""
    test, against = weighed.nearest_to_limit
    expected, baseline = against.expected, weighed.baseline
    summary = EvidenceSummary(
        test,
        against.odds,
        against.limit,
        expected.success_rate,
        expected.failure_rate,
        expected.repeat_rate,
        expected.confidence,
        baseline is None,
        None if baseline is None else _counts_of(baseline),
        _counts_of(weighed.seen),
    )
    details: dict[str, Any] = msgspec.to_builtins(summary)
    return details


def _counts_of(counts: Baseline) -> CountsOfVersion:
    return CountsOfVersion(
        counts.executions,
        counts.failures,
        counts.signature_errors,
        counts.after_failure,
        counts.failures_after_failure,
    )


def summary_of(details: Mapping[str, Any]) -> EvidenceSummary | None:
    """Return the evidence in the ``details`` of a command.

    None if there is none, or if it cannot be read: whoever issues a command may write anything.
    """
    try:
        return msgspec.convert(details.get("evidence"), EvidenceSummary)
    except (msgspec.ValidationError, OverflowError):
        return None
