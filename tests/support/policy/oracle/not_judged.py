"""The failures that were not the tool's, as the details of a command show them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from schemas.execution import Activation, Execution
from schemas.rules.rules import Rules
from tests.support.policy.oracle import whose_failure
from tests.support.policy.oracle.log import Entry, counted_for, ring_of


def not_judged(log: Sequence[Entry], index: int, rules: Rules, now: datetime) -> dict[str, Any]:
    """Return the detail that says how many failures of the last 24 hours were not the tool's.

    None if there are none. An hour counts until it ended 24 hours before 'now', or before the hour
    of the newest of them.
    """
    found: list[tuple[datetime, str]] = []
    for at, record in enumerate(log):
        if at <= index or not isinstance(record.entry, Execution):
            continue
        origin = whose_failure.origin_of(record.entry, rules)
        if origin in ("caller", "environment") and _belongs(log, index, at, rules):
            found.append((_hour(record.entry.executed_at), origin))
    newest = max([_hour(now), *(hour for hour, _ in found)])
    lately = [origin for hour, origin in found if hour >= newest - timedelta(hours=24)]
    shown = {each: lately.count(each) for each in ("caller", "environment")}
    return {"not_judged": shown} if lately else {}


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _belongs(log: Sequence[Entry], index: int, at: int, rules: Rules) -> bool:
    """Return whether a failure is one of the activation's that its ring did not hold."""
    entry, current = log[at].entry, log[index].entry
    assert isinstance(entry, Execution)
    assert isinstance(current, Activation)
    ring = ring_of(counted_for(log, index, at, rules), rules)
    return (
        entry.version_id in (None, current.version_id)
        and not (
            current.activated_by.kind == "rollback" and entry.executed_at < current.activated_at
        )
        and all(each.execution.execution_id != entry.execution_id for each in ring)
    )
