"""The news of a rollback: what was done or not, why, and what it cost."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from policy.notifications.news import EventType, Links, News, id_of
from policy.notifications.texts import Line, Quote, Text, cut
from schemas.explanation import MAX_ERROR_CHARACTERS, MAX_ERRORS, Explanation
from schemas.fields import format_time
from schemas.rollback import HoldReason, Reason, Rejection, RollbackOutcome, Status

_MAX_SENTENCE: Final = 2_000
_MAX_CHANGES: Final = 20
_MAX_IDS: Final = 100
_SHOWN_CHANGES: Final = 3

_REJECTED: Final[Mapping[Rejection, str]] = {
    "unknown_version": "the target is no version of it",
    "not_current": "the version was replaced before",
    "already_current": "the target is current already",
    "pinned": "it is pinned",
    "no_previous_version": "there is no version to go back to, so the broken one stays in use",
    "outage": "many tools fail at once, so this is an outage and says nothing about the version",
    "budget": "it was rolled back too often, and is left alone for now",
    "cooldown": "it was rolled back a short time ago",
    "expired": "nobody answered in time",
    "dismissed": "a person decided against it",
}
_REASONS: Final[Mapping[Reason, str]] = {
    "consecutive_failures": "its newest executions all failed",
    "signature_change": "calls do not fit its new signature",
    "complete_failure": "all its executions failed",
    "high_failure_rate": "too many of its executions failed",
    "success_rate_drop": "it fails more often than the version before",
    "regression": "it fails more often than the version before",
    "judged_bad": "its results were judged bad more often than before",
    "slower": "it is slower than the version before",
    "costlier": "it costs more than the version before",
    "manual": "a person ordered it",
}
_HELD: Final[Mapping[HoldReason, str]] = {
    "fleet_budget": "so many tools were rolled back in a short time that another fault is likely",
}
_TYPES: Final[Mapping[Status, EventType]] = {
    "applied": "rollguard.rollback.applied",
    "rejected": "rollguard.rollback.rejected",
    "held": "rollguard.rollback.held",
    "observed": "rollguard.rollback.observed",
}
_ANSWERED: Final[frozenset[Rejection]] = frozenset({"dismissed", "already_current", "not_current"})
"""After these nothing is left to be decided."""


def news_of_rollback(outcome: RollbackOutcome, links: Links, hold_expires_s: int) -> News:
    """Return the news of an outcome. ``hold_expires_s``: for how long a person is waited for."""
    tool, version = outcome.tool_name, outcome.from_version_id
    is_machine = outcome.tier != "manual"
    waits = timedelta(seconds=hold_expires_s) if outcome.status == "held" else None
    incident = id_of("rollback", tool, version)
    pages = links.rollback(tool, outcome.command_id)
    return News(
        type=_TYPES[outcome.status],
        id=id_of("rollback", tool, is_machine, outcome.command_id, outcome.status),
        incident=incident,
        at=outcome.applied_at,
        status=outcome.status,
        title=_title(outcome),
        lines=list(_lines(outcome)),
        data=_data(outcome) | {"incident": str(incident), "links": pages},
        says=(
            outcome.status,
            outcome.rejection,
            outcome.reason,
            outcome.hold_reason,
            str(outcome.to_version_id),
        ),
        tool_name=tool,
        version_id=version,
        tier=outcome.tier,
        links=pages,
        ends_incident=outcome.status == "applied" or outcome.rejection in _ANSWERED,
        waits_until=None if waits is None else outcome.applied_at + waits,
    )


def _title(outcome: RollbackOutcome) -> Text:
    tool, old, new = Quote(outcome.tool_name), _old(outcome), _new(outcome)
    match outcome.status:
        case "applied":
            return ("Rolled back ", tool, old, new)
        case "held":
            return ("A rollback waits for a person: ", tool, old, new)
        case "observed":
            return ("Dry run, nothing was changed: ", tool, " would be rolled back", old, new)
    why = "" if outcome.rejection is None else f": {_REJECTED[outcome.rejection]}"
    return ("Not rolled back: ", tool, old, why)


def _old(outcome: RollbackOutcome) -> str:
    version = outcome.from_version_id
    return "" if version is None else f" from version id {version}"


def _new(outcome: RollbackOutcome) -> str:
    if outcome.to_version_id is None:
        return ""
    number = outcome.to_version_number
    return f" to {'version' if number is None else f'v{number},'} id {outcome.to_version_id}"


def _lines(outcome: RollbackOutcome) -> Iterator[Line]:
    yield Line("Why", (f"{_REASONS[outcome.reason]} ({outcome.reason}, {outcome.tier})",))
    if outcome.hold_reason is not None:
        yield Line("Held because", (_HELD[outcome.hold_reason],))
    explanation = outcome.explanation
    if explanation is not None:
        yield from _explained(explanation)
    if outcome.is_breaking_change:
        changes = outcome.breaking_changes or []
        yield Line("The target breaks calls", _quotes(changes[:_SHOWN_CHANGES]))
    yield Line("At", (format_time(outcome.applied_at),))


def _explained(explanation: Explanation) -> Iterator[Line]:
    yield Line("Rule", (Quote(explanation.rule),))
    if explanation.evidence is not None:
        yield Line("Evidence", (Quote(explanation.evidence),))
    if explanation.failures is not None:
        of = "" if explanation.executions is None else f" of {explanation.executions}"
        yield Line("Cost", (f"{explanation.failures}{of} calls failed",))
    for error in explanation.errors[:MAX_ERRORS]:
        yield Line("Error", (f"{error.executions} × ", Quote(error.error)))


def _quotes(texts: list[str]) -> Text:
    parts: list[str | Quote] = []
    for text in texts:
        parts += [", " if parts else "", Quote(text)]
    return parts or ("",)


def _data(outcome: RollbackOutcome) -> dict[str, Any]:
    """Return the fields of the outcome by their names, each of a bounded size."""
    value = outcome.model_dump(mode="json", exclude_none=True, exclude={"explanation"})
    if outcome.breaking_changes is not None:
        value["breaking_changes"] = _sentences(outcome.breaking_changes)
    explanation = outcome.explanation
    if explanation is not None:
        value["failed_calls"] = explanation.failures
        value["explanation"] = {
            "rule": cut(explanation.rule, _MAX_SENTENCE),
            "evidence": explanation.evidence and cut(explanation.evidence, _MAX_SENTENCE),
            "thresholds": dict(list(explanation.thresholds.items())[:_MAX_IDS]),
            "executions": explanation.executions,
            "failures": explanation.failures,
            "errors": [
                {"error": cut(each.error, MAX_ERROR_CHARACTERS), "executions": each.executions}
                for each in explanation.errors[:MAX_ERRORS]
            ],
            "breaking_changes": _sentences(explanation.breaking_changes),
            "decided_by": [str(each) for each in explanation.decided_by[:_MAX_IDS]],
        }
    return value


def _sentences(texts: list[str]) -> list[str]:
    return [cut(each, MAX_ERROR_CHARACTERS) for each in texts[:_MAX_CHANGES]]
