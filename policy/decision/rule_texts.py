"""The rules and the evidence in words: one sentence each, with their numbers."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from policy.weighing.evidence_summary import EvidenceSummary
from policy.weighing.quality_summary import QualitySummary
from schemas.rollback import Reason, RollbackLimit, Tier
from schemas.rules.fleet import FleetRules
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules

_EVIDENCE: Final[dict[Reason, str]] = {
    "regression": "the evidence against the version reached its limit, and no other rule held",
    "judged_bad": "the evidence of later verdicts against the version reached its limit",
    "slower": "the evidence that the version is slower reached its limit",
    "costlier": "the evidence that the version costs more reached its limit",
}
_RECENT: Final = ("ring_size", "recent_window_s")
_THRESHOLDS: Final[Mapping[tuple[Tier, Reason] | Reason, Sequence[str]]] = {
    "consecutive_failures": ("consecutive_failures", *_RECENT),
    "signature_change": ("signature_failures", *_RECENT),
    ("immediate", "complete_failure"): ("complete_failure_recent", *_RECENT),
    "complete_failure": ("complete_failure_executions", "fast_window_s"),
    "high_failure_rate": ("high_failure_rate_executions", "high_failure_rate", "fast_window_s"),
    "success_rate_drop": (
        *("standard_executions", "success_rate_drop", "standard_window_s"),
        "baseline_executions",
    ),
}
"""The settings in the text of each rule."""
_OF_EVIDENCE: Final = (
    *("alpha", "signature_alpha", "breaking_factor", "false_alarm_executions"),
    *("assumed_success_rate", "assumed_repeat_rate", "tolerated_drop", "baseline_executions"),
    *("repeat_span_s", "repeat_others_s"),
)
"""The settings of the tests of failures under policy `guarded`."""
_OF_MEASURED: Final = ("slower_alpha", "slower_tolerance", "warm_up_executions", "compared_span_s")
_OF_QUALITY: Final[Mapping[Reason, Sequence[str]]] = {
    "judged_bad": ("judged_bad_alpha", "baseline_executions"),
    "slower": _OF_MEASURED,
    "costlier": _OF_MEASURED,
}
"""The settings of each quality test."""
_OF_OUTAGE: Final = ("outage_tools", "outage_share", "outage_window_s", "doubt_s")
"""The settings by which the applier tells an outage."""
_OF_LIMIT: Final[Mapping[RollbackLimit, Sequence[str]]] = {
    "budget": ("rollback_budget", "rollback_budget_s"),
    "cooldown": ("cooldown_s", "cooldown_max_s", "cooldown_decay_s", "rollback_budget_s"),
}
"""The settings of the limits on how often a tool is rolled back."""


class WhyNot(NamedTuple):
    """Why a rollback is not carried out although it was decided: in words, and the settings."""

    text: str
    thresholds: Mapping[str, int | float]
    """The settings by name, with the values that are in force."""


def rule_text(tier: Tier, reason: Reason, rules: Rules) -> str:
    """Return the text of the rule that has a tier and a reason (contract, section 2)."""
    recent = f"of the newest {rules.ring_size} executions, within {rules.recent_window_s} s"
    match tier, reason:
        case _, "manual":
            return "a person's order"
        case _, "consecutive_failures":
            return f"the newest {rules.consecutive_failures} executions all failed, {recent}"
        case _, "signature_change":
            classes = " or ".join(rules.signature_errors) or "of no class"
            return f"at least {rules.signature_failures} failures are {classes}, {recent}"
        case "immediate", "complete_failure":
            return f"at least {rules.complete_failure_recent} executions and all failed, {recent}"
        case _, "complete_failure":
            return (
                f"at least {rules.complete_failure_executions} executions in the last "
                f"{rules.fast_window_s} s, and all failed"
            )
        case _, "high_failure_rate":
            return (
                f"at least {rules.high_failure_rate_executions} executions in the last "
                f"{rules.fast_window_s} s, and more than "
                f"{_percent(rules.high_failure_rate)} % failed"
            )
        case _, "regression" | "judged_bad" | "slower" | "costlier":
            return _EVIDENCE[reason]
        case _:
            return (
                f"at least {rules.standard_executions} executions in the last "
                f"{rules.standard_window_s} s, and a success rate at least "
                f"{_percent(rules.success_rate_drop)} points below the baseline"
            )


def thresholds_of(tier: Tier, reason: Reason, rules: Rules) -> Mapping[str, int | float]:
    """Return the settings by which a rule or a test decides, with their values, by name."""
    names = [*(_THRESHOLDS.get((tier, reason)) or _THRESHOLDS.get(reason, ()))]
    if rules.policy == "guarded":
        names += _OF_QUALITY.get(reason, _OF_EVIDENCE)
    values = {name: getattr(rules, name) for name in names}
    return {name: float(v) if isinstance(v, Decimal) else v for name, v in values.items()}


def why_not_in_outage(rules: OutageRules) -> WhyNot:
    """Return why the applier took a moment for an outage."""
    return WhyNot(
        "this is an outage: "
        f"of at least {rules.outage_tools} tools that were executed within "
        f"{rules.outage_window_s} s, at least {rules.outage_share * 100:g} % failed at last",
        {name: getattr(rules, name) for name in _OF_OUTAGE},
    )


def why_not_by_limit(limit: RollbackLimit, rules: Rules) -> WhyNot:
    """Return why the tool was rolled back too often already."""
    text = (
        f"machines may roll the tool back {rules.rollback_budget} times within "
        f"{rules.rollback_budget_s} s, and have done so"
    )
    if limit == "cooldown":
        text = (
            "the last rollback was too short a time ago: after two rollbacks "
            f"{rules.cooldown_s} s, doubled with each further one up to {rules.cooldown_max_s} s"
        )
    return WhyNot(text, {name: getattr(rules, name) for name in _OF_LIMIT[limit]})


def why_not_by_brake(rules: FleetRules) -> WhyNot:
    """Return why the fleet's brake holds a rollback."""
    return WhyNot(
        f"machines may roll {rules.fleet_budget} tools back within {rules.fleet_budget_s} s, and "
        "have done so, or an earlier rollback of this version waits because of that",
        {"fleet_budget": rules.fleet_budget, "fleet_budget_s": rules.fleet_budget_s},
    )


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}"


def evidence_text(summary: EvidenceSummary) -> str:
    """Return the evidence against a version in words.

    What was expected and why, what was seen, and how strongly that speaks against the version.
    """
    seen, before = summary.seen, summary.baseline
    # An assumed rate is shown as it is set, not as the long-run rate that follows from it.
    rate = 1 - summary.expected_failure_rate if summary.assumed else summary.expected_success_rate
    if summary.test == "signature":
        expected = f"at most {1 - rate:.2f} signature errors were"
        known = before and f"{before.signature_errors} of {before.executions}"
        found = f"{seen.signature_errors} of {seen.executions}"
    else:
        expected = f"success at least {rate:.2f} was"
        known = before and f"{before.executions - before.failures} of {before.executions}"
        found = f"{seen.executions - seen.failures} of {seen.executions}"
    if known is None or summary.confidence is None:
        expected += " assumed (too little is known of its predecessor)"
    else:
        expected += f" expected ({known}, {summary.confidence * 100:g} %)"
    weight = f"{_number(summary.odds)} to 1 against"
    if summary.test == "break":
        odds, limit = _number(summary.odds), _number(summary.limit)
        weight = f"far fewer lately: {odds} where {limit} is a break"
    were = "were" if summary.test == "signature" else "was"
    return f"{expected}, {found} {were} seen{', ' if summary.test == 'break' else ': '}{weight}"


def quality_text(reason: Reason, summary: QualitySummary) -> str:
    """Return what a quality test says of a version in words."""
    seen, before = summary.seen, summary.baseline
    what = "bad verdicts"
    if summary.threshold is not None:
        unit, verb = (" ms", "took") if reason == "slower" else ("", "cost")
        what = f"executions that {verb} {summary.threshold:.4g}{unit} or more"
    if before is None or summary.expected_share is None or summary.confidence is None:
        return f"{seen.found} of {seen.asked} {what} were seen"
    return (
        f"a share of at most {summary.expected_share:.2g} of {what} was expected "
        f"({before.found} of {before.asked}, {summary.confidence * 100:g} %), {seen.found} of "
        f"{seen.asked} were seen: {_number(summary.odds or 0)} to 1 against"
    )


def _number(value: float) -> str:
    """Return the number as text: whole, or with an exponent if it has more than nine digits."""
    return f"{value:.0f}" if value < 1e9 else f"{value:.0e}"
