"""Which stop refuses a deployment, and when a stop is in force. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from policy.decision.policies import policy_for
from schemas.deployment import Author, StopRefusal
from schemas.rollback import Tier
from schemas.rules.rules import Rules
from schemas.stops import Stop, StopKind

REFUSALS: Final[Mapping[StopKind, StopRefusal]] = {
    "freeze": "frozen",
    "wait": "waits_for_resume",
    "rejection": "rejected",
}
"""The refusals of autonomous deployments, by the kind of stop, in the order in which they are
given. A pin stops rollbacks alone."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Attempt(NamedTuple):
    """A deployment as stops look at it."""

    tool_name: str
    created_by: Author
    code_hash: str


def stop_of(attempt: Attempt, stops: Sequence[Stop], now: datetime) -> Stop | None:
    """Return the stop that refuses the deployment; None if none does.

    A person's deployment is never stopped. Of two stops of one kind, that of the tool and that of
    all tools, the one that lasts longest is returned.
    """
    if attempt.created_by == "human":
        return None
    for kind in REFUSALS:
        found = [each for each in stops if each.kind == kind and _concerns(each, attempt)]
        if in_force := [each for each in found if is_in_force(each, now)]:
            return lasting_longest(in_force)
    return None


def lasting_longest(stops: Sequence[Stop]) -> Stop:
    """Return the stop that ends last; of two the one that is about a tool, not about all tools."""
    return max(stops, key=lambda each: (_end_of(each), each.tool_name is not None))


def _concerns(stop: Stop, attempt: Attempt) -> bool:
    """Return whether the stop is about this tool, and about this code if it is about code."""
    if stop.tool_name not in (None, attempt.tool_name):
        return False
    return stop.code_hash in (None, attempt.code_hash)


def is_in_force(stop: Stop, now: datetime) -> bool:
    """Return whether the stop has neither ended nor expired at this time."""
    return _end_of(stop) > now


def was_in_force(stop: Stop, begin: datetime, end: datetime | None) -> bool:
    """Return whether the stop was in force at some time from ``begin`` to before ``end``.

    Without ``end`` the time has not ended.
    """
    return _end_of(stop) > begin and (end is None or stop.began_at < end)


def as_of(stop: Stop, now: datetime) -> Stop:
    """Return the stop as it is at this time: if its time is over, it has ended, ``expired``."""
    if stop.ended_at is not None or is_in_force(stop, now):
        return stop
    return stop.model_copy(update={"ended_at": stop.expires_at, "ended_how": "expired"})


def begins_wait(tier: Tier, rules: Rules) -> bool:
    """Return whether autonomous deployments wait after a rollback of this tier is carried out."""
    if tier != "manual":
        return False
    if rules.wait_after_manual_rollback is not None:
        return rules.wait_after_manual_rollback
    return policy_for(rules).waits_after_manual_rollback


def _end_of(stop: Stop) -> datetime:
    if stop.ended_at is not None:
        return stop.ended_at
    return stop.expires_at or _NEVER
