"""What a rollback cost and spared: failed calls that were seen, and an estimate of the others."""

from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple

from pydantic import ConfigDict

from policy.statistics.intervals import wilson
from schemas.message import Message
from schemas.rollback import Reason, Rejection, Status

_NOT_ABOUT_FAILURES: Final[frozenset[Reason]] = frozenset({"judged_bad", "slower", "costlier"})
_NOT_ABOUT_THE_VERSION: Final[frozenset[Rejection]] = frozenset(
    {"unknown_version", "not_current", "already_current"}
)


class Calls(NamedTuple):
    """Some calls of a version. Only failures of the tool count, not those of others."""

    executions: int = 0
    failures: int = 0


class CallsAround(NamedTuple):
    """The calls before and after a rollback, as far as they were looked at."""

    before: Calls
    """Of the version that is replaced, in this activation, until the decision."""
    waiting: Calls
    """Of the same version, from the decision until it was replaced, or until now."""
    late: Calls
    """Of the same version, within a day after it was replaced: by engines that still ran it."""
    after: Calls
    """Of the version that took its place, until the next change of the tool, at most for a day."""
    is_cut: bool
    """Whether there are more calls of the version that is replaced than were looked at."""
    is_after_cut: bool
    """Whether there are more calls of the version that took its place than were looked at."""


class CallsAfter(Message):
    """The calls of the version that took the place of another one, for a day at most."""

    executions: int
    failures: int


class Spared(Message):
    """How many calls did not fail because of a rollback: an estimate."""

    calls: float
    low: float
    """The lower end of the 95 % interval of the estimate."""
    high: float


class RollbackCost(Message):
    """What a rollback, or a decision that was not carried out, cost and spared."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "failures": 4,
                    "executions": 6,
                    "until_decision": 3,
                    "while_waiting": 0,
                    "late": 1,
                    "at_least": False,
                    "after": {"executions": 90, "failures": 1},
                    "spared": {"calls": 59.0, "low": 26.0, "high": 80.2},
                    "how": "an estimate: had 90 calls after the rollback failed as often as …",
                }
            ]
        }
    )

    failures: int
    """Failed calls of the version: before the decision, until it was replaced, and late ones."""
    executions: int
    """So many calls these are of."""
    until_decision: int
    while_waiting: int
    """From the decision until it was replaced, or until now."""
    late: int
    """Within a day after it was replaced, by engines that still ran it."""
    at_least: bool
    """Whether there were more calls, which were not looked at."""
    after: CallsAfter | None
    """None if it was not carried out."""
    spared: Spared | None
    how: str
    """How the estimate is computed, or why there is none."""


def cost_of(
    around: CallsAround, status: Status, reason: Reason, rejection: Rejection | None = None
) -> RollbackCost:
    """Return the cost of a rollback with this outcome."""
    of_version = (around.before, around.waiting, around.late)
    calls = Calls(*(sum(numbers) for numbers in zip(*of_version, strict=True)))
    why_not = _why_not_told(calls, around.after, status, reason)
    if rejection in _NOT_ABOUT_THE_VERSION:
        why_not = "the command was not about the current version"
    return RollbackCost(
        failures=calls.failures,
        executions=calls.executions,
        until_decision=around.before.failures,
        while_waiting=around.waiting.failures,
        late=around.late.failures,
        at_least=around.is_cut,
        after=CallsAfter(**around.after._asdict()) if status == "applied" else None,
        spared=None if why_not else _spared(calls, around.after),
        how=why_not or _how(calls, around),
    )


def _why_not_told(calls: Calls, after: Calls, status: Status, reason: Reason) -> str | None:
    """Return why no estimate can be made; None if it can."""
    if status != "applied":
        return "nothing was spared: it was not carried out"
    if reason in _NOT_ABOUT_FAILURES:
        return "not told in failed calls: the version was not replaced because of failures"
    if not calls.executions:
        return "not known: no call of the version that was replaced is recorded"
    if not after.executions:
        return "none yet: the tool was not called since"
    return None


def _spared(calls: Calls, after: Calls) -> Spared:
    """Return the estimate: the calls after the rollback, at the failure rate seen before it."""
    low, high = wilson(calls.failures, calls.executions)
    rates = (calls.failures / calls.executions, low, high)
    estimate, least, most = (round(rate * after.executions - after.failures, 1) for rate in rates)
    return Spared(calls=estimate, low=least, high=most)


def _how(calls: Calls, around: CallsAround) -> str:
    after = around.after
    first = "the first " if around.is_after_cut else ""
    newest = "the newest " if around.is_cut else ""
    return (
        f"an estimate: had {first}{_calls(after.executions)} after the rollback failed as often as "
        f"{newest}{_calls(calls.executions)} of the version that was replaced "
        f"({calls.failures} failed), instead of {after.failures}. A version is replaced when its "
        "failures have come close together, so the estimate is rather too high"
    )


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{number} calls"


def cost_text(cost: RollbackCost) -> str:
    """Say how many calls failed, and when: ``7 of 12 calls failed: 4 until the decision, …``."""
    least = "at least " if cost.at_least else ""
    text = f"{least}{cost.failures} of {cost.executions} calls failed"
    parts = [
        f"{failures} {when}"
        for failures, when in (
            (cost.until_decision, "until the decision"),
            (cost.while_waiting, "after it"),
            (cost.late, "later, by engines that still ran it"),
        )
        if failures
    ]
    return f"{text}: {', '.join(parts)}" if parts else text


def spared_text(cost: RollbackCost | None) -> str:
    """Return how many failed calls a rollback spared, in a few words."""
    if cost is None or cost.spared is None:
        return "–"
    estimate = cost.spared
    return f"about {estimate.calls:,.0f} ({estimate.low:,.0f} to {estimate.high:,.0f})"


class TotalCost(Message):
    """What several rollbacks cost and spared."""

    rollbacks: int
    applied: int
    failures: int
    """Those of an activation once, however often it was commanded."""
    at_least: bool
    spared: float
    """The sum of the estimates that could be made."""
    spared_known: int
    """Of how many rollbacks there is an estimate."""


class CostedCommand(NamedTuple):
    """The cost of a command, with what is needed to add it to others."""

    activation: Hashable
    """The tool, the version and its activation: several commands may be about one."""
    status: Status
    cost: RollbackCost


def total_of(costs: Sequence[CostedCommand]) -> TotalCost:
    """Return the sums. Failed calls count once, however often their activation was commanded."""
    failures: dict[Hashable, int] = {}
    for activation, _, cost in costs:
        failures[activation] = max(cost.failures, failures.get(activation, 0))
    spared = [cost.spared.calls for _, _, cost in costs if cost.spared is not None]
    return TotalCost(
        rollbacks=len(costs),
        applied=sum(each.status == "applied" for each in costs),
        failures=sum(failures.values()),
        at_least=any(each.cost.at_least for each in costs),
        spared=round(sum(spared), 1),
        spared_known=len(spared),
    )


def total_text(total: TotalCost) -> str:
    """Return the costs of several rollbacks in a sentence."""
    if not total.rollbacks:
        return "No rollback cost anything."
    listed = "1 rollback" if total.rollbacks == 1 else f"{total.rollbacks:,} rollbacks"
    cost = f"{'at least ' * total.at_least}{total.failures:,} failed calls"
    spared = "what they spared is not known"
    if total.spared_known:
        spared = f"about {total.spared:,.0f} spared (known of {total.spared_known})"
    return f"{listed} listed, {total.applied:,} carried out: {cost}, {spared}."
