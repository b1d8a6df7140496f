"""What a row says to a person: the answer to a table query. Pure."""

from typing import Any

from policy.decision.threshold_rules import baseline_of, details_of, mode_of, stands
from policy.state.outages import OutageWatch
from policy.state.row import Row, Seen, is_signature_error
from schemas.fields import format_time, time_of
from schemas.outages import OutageRules
from schemas.rules import Rules


def guarded_health_of(
    row: Row, tool_name: str, rules: Rules, watch: OutageWatch, outage_rules: OutageRules
) -> dict[str, Any]:
    """The same under policy `guarded`, beside what is known of the partition's ``outage``: while
    many tools fail no version is blamed.
    """
    health = health_of(row, tool_name, rules, may_blame=not watch.blames_nobody(outage_rules))
    return health | {"outage": outage_of(watch, outage_rules)}


def health_of(row: Row, tool_name: str, rules: Rules, *, may_blame: bool = True) -> dict[str, Any]:
    """The windows of the current version and what the policy says (contract, section 7)."""
    recent = row.recent(rules)[::-1]
    verdict = stands(row, rules) if may_blame else None
    return {
        "tool_name": tool_name,
        "version_id": row.version_id,
        "version_number": row.version_number,
        "activation": row.activation,
        "activated_at": format_time(time_of(row.activated_us)),
        "as_of": None if row.now_us is None else format_time(time_of(row.now_us)),
        "recent": [_seen(seen) for seen in recent],
        "consecutive_failures": _leading_failures(recent),
        "signature_errors": sum(is_signature_error(seen.error_class) for seen in recent),
        "windows": {
            "fast": {
                "window_s": rules.fast_window_s,
                "executions": row.fast.executions,
                "failures": row.fast.failures,
            },
            "standard": {
                "window_s": rules.standard_window_s,
                "executions": row.standard.executions,
                "failures": row.standard.failures,
            },
        },
        "baseline": baseline_of(row),
        "needs_rollback": verdict is not None,
        "tier": verdict.tier if verdict else None,
        "reason": verdict.reason if verdict else None,
        "mode": mode_of(verdict.reason, tool_name, row.activation, rules) if verdict else None,
        "details": details_of(row, verdict, rules) if verdict else {},
        "command_id": row.command_id,
    }


def outage_of(watch: OutageWatch, rules: OutageRules) -> dict[str, Any] | None:
    """The outage that lasts in a partition, as `health` shows it: ``tools`` were executed lately,
    of ``failing`` the last execution failed. None where there is none.
    """
    if not watch.lasts:
        return None
    tools, failing = watch.shares(rules)
    since = time_of(watch.spans[-1][0] * 1_000)
    return {"since": format_time(since), "tools": tools, "failing": failing}


def _seen(seen: Seen) -> dict[str, Any]:
    return {
        "execution_id": str(seen.execution_id),
        "executed_at": format_time(time_of(seen.executed_us)),
        "success": seen.success,
        "error_type": seen.error_class,
    }


def _leading_failures(newest_first: list[Seen]) -> int:
    count = 0
    for seen in newest_first:
        if seen.success:
            break
        count += 1
    return count
