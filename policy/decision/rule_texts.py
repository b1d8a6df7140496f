"""What each rule and the evidence say, in a sentence, with their numbers. Pure."""

from decimal import Decimal

from policy.decision.guarded import EvidenceSummary
from schemas.rollback import Reason, Tier
from schemas.rules import Rules


def rule_text(tier: Tier, reason: Reason, rules: Rules) -> str:
    """The rule by which such a command is decided (contract, section 2)."""
    recent = f"of the newest {rules.ring_size} executions, within {rules.recent_window_s} s"
    match tier, reason:
        case _, "manual":
            return "a person's order"
        case _, "consecutive_failures":
            return f"the newest {rules.consecutive_failures} executions all failed, {recent}"
        case _, "signature_change":
            return (
                f"at least {rules.signature_errors} failures are TypeError or AttributeError, "
                f"{recent}"
            )
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
        case _, "regression":
            return "the evidence against the version reached its limit, and no other rule held"
        case _:
            return (
                f"at least {rules.standard_executions} executions in the last "
                f"{rules.standard_window_s} s, and a success rate at least "
                f"{_percent(rules.success_rate_drop)} points below the baseline"
            )


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}"


def evidence_text(said: EvidenceSummary) -> str:
    """The evidence against a version under policy `guarded`: what was expected and why, what was
    seen, and how far that is against it.
    """
    seen, before = said.seen, said.baseline
    # What is assumed is said as it is set, and not what runs of failures make of it in the end.
    least = 1 - said.expected_failure_rate if said.assumed else said.expected_success_rate
    if said.test == "signature":
        expected = f"at most {1 - least:.2f} signature errors were"
        known = before and f"{before.signature_errors} of {before.executions}"
        found = f"{seen.signature_errors} of {seen.executions}"
    else:
        expected = f"success at least {least:.2f} was"
        known = before and f"{before.executions - before.failures} of {before.executions}"
        found = f"{seen.executions - seen.failures} of {seen.executions}"
    if known is None or said.confidence is None:
        expected += " assumed (too little is known of its predecessor)"
    else:
        expected += f" expected ({known}, {said.confidence * 100:g} %)"
    weight = f"{_number(said.odds)} to 1 against"
    if said.test == "break":
        weight = f"far fewer lately: {_number(said.odds)} where {_number(said.limit)} is a break"
    were = "were" if said.test == "signature" else "was"
    return f"{expected}, {found} {were} seen{', ' if said.test == 'break' else ': '}{weight}"


def _number(value: float) -> str:
    """Whole, or too great to be read so."""
    return f"{value:.0f}" if value < 1e9 else f"{value:.0e}"
