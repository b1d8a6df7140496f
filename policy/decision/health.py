"""The row of a tool in words for a person: the answer to a health query (contract, section 7)."""

from typing import Any, Literal

from policy.decision.command import baseline_of, details_of, mode_of, next_attempt_us
from policy.decision.policy import Policy
from policy.decision.rules_now import newest_failures, rules_now
from policy.decision.verdict import Verdict
from policy.state.outage_watch import OutageWatch
from policy.state.ring import RingExecution
from policy.state.row import Row
from schemas.fields import format_time, time_of
from schemas.rollback import Reason
from schemas.rules.outages import OutageRules

State = Literal["healthy", "suspect", "condemned", "unjudged"]


def health_of(
    row: Row, tool_name: str, policy: Policy, watch: OutageWatch, outage_rules: OutageRules
) -> dict[str, Any]:
    """Return the windows of the current version, and what the policy says of it now.

    A policy that watches outages adds ``outage``, and needs no rollback while many tools of the
    partition fail (``watch``). Policy `guarded` adds ``evidence``.
    """
    verdict = _verdict(row, policy, watch, outage_rules)
    health = _health(row, tool_name, policy, verdict)
    if policy.watches_outages:
        health["outage"] = outage_of(watch, outage_rules)
    return health


def state_of(
    row: Row, policy: Policy, watch: OutageWatch, outage_rules: OutageRules
) -> tuple[State, Reason | None]:
    """Return the state of the current version, and why it is condemned if it is.

    `unjudged`: it was not executed yet. `condemned`: it needs a rollback. `suspect`: one of the
    recent executions failed. `healthy`: anything else.
    """
    verdict = _verdict(row, policy, watch, outage_rules)
    return _state_of(row, policy, verdict), verdict and verdict.reason


def _verdict(
    row: Row, policy: Policy, watch: OutageWatch, outage_rules: OutageRules
) -> Verdict | None:
    if policy.watches_outages and watch.condemns_nothing(outage_rules):
        return None
    return policy.standing_verdict(row)


def _health(row: Row, tool_name: str, policy: Policy, verdict: Verdict | None) -> dict[str, Any]:
    rules = policy.rules
    recent, errors = row.recent(rules)[::-1], row.recent_errors(rules)
    return {
        "tool_name": tool_name,
        "version_id": row.version_id,
        "version_number": row.version_number,
        "activation": row.activation,
        "activated_at": format_time(time_of(row.activated_us)),
        "as_of": None if row.now_us is None else format_time(time_of(row.now_us)),
        "recent": [_shown(seen) for seen in recent],
        "consecutive_failures": newest_failures(errors),
        "signature_errors": sum(seen.is_signature_error for seen in recent),
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
        "not_judged": row.others_failures._asdict(),
        "baseline": baseline_of(row),
        "needs_rollback": verdict is not None,
        "tier": verdict.tier if verdict else None,
        "reason": verdict.reason if verdict else None,
        "mode": mode_of(verdict.reason, tool_name, row.activation, rules) if verdict else None,
        "details": details_of(row, verdict, policy) if verdict else {},
        "command_id": row.command_id,
        "next_attempt_at": _next_attempt_at(row, policy),
        "state": _state_of(row, policy, verdict),
        "rules": [each._asdict() for each in rules_now(row, rules)],
    } | policy.evidence_details(row)


def _next_attempt_at(row: Row, policy: Policy) -> str | None:
    """Return from which 'now' on a command follows without anything new.

    None before the first command, and if the newest was withdrawn.
    """
    if not row.attempts or (row.last_command is not None and row.last_command.is_withdrawn):
        return None
    return format_time(time_of(next_attempt_us(row, policy.rules)))


def outage_of(watch: OutageWatch, rules: OutageRules) -> dict[str, Any] | None:
    """Return the outage that lasts in a partition; None if there is none.

    ``tools`` were executed lately, and the last execution of ``failing`` of them failed.
    """
    if not watch.lasts:
        return None
    tools, failing = watch.failing_tools(rules)
    since = time_of(watch.spans[-1][0] * 1_000)
    return {"since": format_time(since), "tools": tools, "failing": failing}


def _shown(execution: RingExecution) -> dict[str, Any]:
    return {
        "execution_id": str(execution.execution_id),
        "executed_at": format_time(time_of(execution.executed_us)),
        "success": execution.success,
        "error_type": execution.error_class,
    }


def _state_of(row: Row, policy: Policy, verdict: Verdict | None) -> State:
    if row.now_us is None:
        return "unjudged"
    if verdict is not None:
        return "condemned"
    errors = row.recent_errors(policy.rules)
    return "suspect" if errors.count(None) < len(errors) else "healthy"
