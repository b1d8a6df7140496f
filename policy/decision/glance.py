"""A tool at a glance: its state, the rule that it is nearest to, and its success rate over time."""

from typing import Any, Final

from policy.decision.health import state_of
from policy.decision.policy import Policy
from policy.state.outage_watch import OutageWatch
from policy.state.row import Row
from schemas.fields import format_time, time_of
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules

_FEW: Final = 6
"""With fewer buckets than this, those of the shorter window show more."""


def glance_of(
    row: Row, tool_name: str, policy: Policy, watch: OutageWatch, outage_rules: OutageRules
) -> dict[str, Any]:
    """Return the state, the nearest rule (``near``), and executions and failures over time.

    ``counts`` has [begin in seconds since the epoch, executions, failures] of each span of
    ``bucket_s`` seconds in which the version was executed, the oldest first.
    """
    state, reason = state_of(row, policy, watch, outage_rules)
    bucket_s, counts = _counts(row, policy.rules)
    near = policy.nearest_rule(row)
    return {
        "tool_name": tool_name,
        "version_id": row.version_id,
        "activation": row.activation,
        "state": state,
        "reason": reason,
        "as_of": None if row.now_us is None else format_time(time_of(row.now_us)),
        "near": None if near is None else near._asdict(),
        "bucket_s": bucket_s,
        "counts": counts,
    }


def _counts(row: Row, rules: Rules) -> tuple[int, list[list[int]]]:
    """Return the length of a bucket, and the buckets of the window that shows more."""
    long, short = _triples(row.standard.buckets), _triples(row.fast.buckets)
    if len(long) < _FEW and len(short) > len(long):
        return rules.fast_bucket_s, short
    return rules.standard_bucket_s, long


def _triples(buckets: list[int]) -> list[list[int]]:
    return [buckets[index : index + 3] for index in range(0, len(buckets), 3)]
