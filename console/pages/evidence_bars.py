"""The numbers that decided a rollback as bars: what was seen, what was expected, the limit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Any, Final, Literal

from db.rollbacks.records import RollbackRecord
from policy.weighing.evidence_summary import CountsOfVersion, EvidenceSummary, summary_of
from policy.weighing.quality_summary import QualitySummary, quality_summary_of
from rollguard.value_texts import percent

Kind = Literal["seen", "expected", "limit"]
_MOST: Final = 1e9


@dataclass(frozen=True)
class Bar:
    """One number. ``share`` is how long its bar is, from 0 to 1."""

    label: str
    text: str
    share: float
    kind: Kind


def bars_of(record: RollbackRecord) -> list[Bar]:
    """Return the numbers that a command names; none if it names none that can be read."""
    quality = quality_summary_of(record.details, record.reason)
    if quality is not None:
        return _of_quality(quality)
    evidence = summary_of(record.details)
    if evidence is not None:
        return _of_evidence(evidence)
    thresholds = {} if record.explanation is None else record.explanation.thresholds
    return _of_rule(record.reason, record.details, thresholds)


def _of_evidence(evidence: EvidenceSummary) -> list[Bar]:
    is_signature = evidence.test == "signature"
    rate = evidence.expected_success_rate
    expected = _rate("success expected at least", rate, "expected")
    if is_signature:
        expected = _rate("signature errors expected at most", 1 - rate, "expected")
    seen = "signature errors seen" if is_signature else "success seen"
    bars = [
        expected,
        _of(seen, _found(evidence.seen, is_signature), evidence.seen.executions),
        _odds(evidence.odds, evidence.limit),
    ]
    before = evidence.baseline
    if before is not None:
        found = _of("of the baseline", _found(before, is_signature), before.executions)
        bars.insert(0, replace(found, kind="expected"))
    return bars


def _found(counts: CountsOfVersion, is_signature: bool) -> int:
    return counts.signature_errors if is_signature else counts.executions - counts.failures


def _of_quality(quality: QualitySummary) -> list[Bar]:
    bars = [_of("share seen", quality.seen.found, quality.seen.asked)]
    if quality.expected_share is not None:
        bars.insert(0, _rate("share expected at most", quality.expected_share, "expected"))
    if quality.odds is not None:
        bars.append(_odds(quality.odds, quality.limit))
    return bars


def _of_rule(
    reason: str, details: Mapping[str, Any], thresholds: Mapping[str, int | float]
) -> list[Bar]:
    """Return the numbers of a rule: the rate that was seen, and that at which the rule holds."""
    executions, failures = _count(details, "executions"), _count(details, "failures")
    if executions is None or failures is None or not 0 < executions >= failures:
        return []
    if reason == "success_rate_drop":
        bars = [_of("success seen", executions - failures, executions)]
        baseline = details.get("baseline")
        rate = baseline.get("success_rate") if isinstance(baseline, dict) else None
        drop = thresholds.get("success_rate_drop")
        if isinstance(rate, int | float) and 0 <= rate <= 1:
            bars.insert(0, _rate("success of the baseline", rate, "expected"))
            if drop is not None:
                bars.append(_rate("the rule holds at or below", rate - drop, "limit"))
        return bars
    bars = [_of("failures seen", failures, executions)]
    if reason == "high_failure_rate" and "high_failure_rate" in thresholds:
        bars.append(_rate("the rule holds above", thresholds["high_failure_rate"], "limit"))
    for name in ("consecutive_failures", "signature_failures"):
        if name in thresholds and reason in (name, "signature_change"):
            needed = min(thresholds[name] / executions, 1.0)
            text = f"{thresholds[name]:g} of these {executions}"
            bars.append(Bar("the rule needs failures", text, needed, "limit"))
            break
    if reason == "complete_failure":
        bars.append(_rate("the rule holds at", 1.0, "limit"))
    return bars


def _count(details: Mapping[str, Any], name: str) -> int | None:
    """Return a count of the details; None if it is none: they may hold anything."""
    value = details.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    return None


def _of(label: str, found: int, of: int) -> Bar:
    share = min(max(found / of, 0.0), 1.0) if of > 0 else 0.0
    return Bar(label, f"{percent(share)} ({found:,} of {of:,})", share, "seen")


def _rate(label: str, rate: float, kind: Kind) -> Bar:
    share = min(max(rate, 0.0), 1.0)
    return Bar(label, percent(share), share, kind)


def _odds(odds: float, limit: float) -> Bar:
    """Return the odds; the bar is full at the limit. It grows with their logarithm."""
    share = log(min(max(odds, 1.0), _MOST)) / log(limit) if limit > 1 else 1.0
    text = f"{odds:,.3g} to 1, and {limit:,.3g} to 1 condemns"
    return Bar("odds against the version", text, min(share, 1.0), "seen")
