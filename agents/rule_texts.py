"""What each rule says, in a sentence, with its numbers. Pure."""

from decimal import Decimal

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
        case _:
            return (
                f"at least {rules.standard_executions} executions in the last "
                f"{rules.standard_window_s} s, and a success rate at least "
                f"{_percent(rules.success_rate_drop)} points below the baseline"
            )


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}"
