"""The page of a tool, from what is known of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from console.pages.tool.charting import Chart, chart_of
from console.pages.tool.errors import ErrorGroup, grouped
from console.pages.tool.timeline import Event, timeline
from console.questions.tool_facts import PERIODS, ToolFacts
from db.executions.queries import ExecutionRecord
from db.versions.held import HeldDeployment
from db.versions.reading import VersionRecord
from policy.decision.rule_texts import rule_text
from policy.rollbacks.explanations import evidence_of
from rollguard.value_texts import stop_text
from schemas.fields import parse_time
from schemas.rollback import Reason, Tier
from schemas.rules.rules import Rules
from schemas.stops import Stop


class RuleRow(NamedTuple):
    """How near a version is to a rule."""

    text: str
    tier: str
    reason: str
    holds: bool
    now: str
    """The number that the rule judges."""
    limit: str
    executions: int
    executions_needed: int


class Odds(NamedTuple):
    """What evidence weighs against a version, under policy `guarded`."""

    reason: str
    text: str
    odds: float | None
    limit: float | None


class VersionRow(NamedTuple):
    """A version in the list."""

    record: VersionRecord
    by: str
    """Who made it."""
    why: str
    previous_number: int | None
    """The number of the version that it replaced; None if it is not in the list."""


class View(NamedTuple):
    """The page."""

    name: str
    tool: Mapping[str, Any]
    activated_at: datetime | None
    as_of: datetime | None
    """The newest execution that the state rests on."""
    stops: Sequence[Stop]
    stop_texts: Sequence[str]
    is_pinned: bool
    """By a pin of its own."""
    is_frozen: bool
    health: Mapping[str, Any] | None
    rules: Sequence[RuleRow]
    odds: Sequence[Odds]
    is_stored: bool
    """Whether Postgres answers."""
    chart: Chart | None
    events: Sequence[Event]
    versions: Sequence[VersionRow]
    has_more_versions: bool
    way_back: int | None
    """The id of the version that a rollback would most likely lead to; None if none is listed."""
    held: Sequence[HeldDeployment]
    groups: Sequence[ErrorGroup]
    grouped_failures: int
    newest: Sequence[ExecutionRecord]
    numbers: Mapping[int, int]
    """The numbers of versions by id."""
    notes: Sequence[str]
    period: str
    """The name of the time that the chart shows."""
    periods: Sequence[str]


def view_of(name: str, facts: ToolFacts, rules: Rules) -> View:
    """Return the page of a tool whose rules are these."""
    tool, health, stored = facts.tool, facts.health, facts.stored
    stops = [Stop.model_validate(each, strict=False) for each in tool.get("stops") or ()]
    own = {each.kind for each in stops if each.tool_name is not None}
    versions = () if stored is None else stored.versions
    numbers = {each.version_id: each.version_number for each in versions}
    if stored is not None:
        numbers |= {each.version_id: each.version_number for each in stored.activations}
    return View(
        name=name,
        tool=tool,
        activated_at=_time(tool.get("activated_at")),
        as_of=_time(tool.get("as_of")),
        stops=stops,
        stop_texts=[stop_text(each) for each in stops],
        is_pinned="pin" in own,
        is_frozen="freeze" in own,
        health=health,
        rules=[] if health is None else [_rule(each, rules) for each in health["rules"]],
        odds=[] if health is None else _odds(health),
        is_stored=stored is not None,
        chart=None
        if stored is None
        else chart_of(stored.samples, stored.activations, stored.period),
        events=()
        if stored is None
        else timeline(stored.activations, stored.commands, stored.stops),
        versions=[_version(each, numbers) for each in versions],
        has_more_versions=stored is not None and stored.has_more_versions,
        way_back=way_back(versions),
        held=[] if stored is None else [each for each in stored.held if each.status == "held"],
        groups=[] if stored is None else grouped(stored.failures),
        grouped_failures=0 if stored is None else len(stored.failures),
        newest=() if stored is None else stored.newest,
        numbers=numbers,
        notes=facts.notes,
        period="" if stored is None else stored.period_name,
        periods=tuple(PERIODS),
    )


def way_back(versions: Sequence[VersionRecord]) -> int | None:
    """Return the nearest trusted version back from the current one, among these."""
    by_id = {each.version_id: each for each in versions}
    at = next((each for each in versions if each.is_current), None)
    for _ in versions:
        if at is None:
            return None
        at = by_id.get(at.previous_version_id or 0)
        if at is not None and at.trusted and not at.is_current:
            return at.version_id
    return None


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _rule(rule: Mapping[str, Any], rules: Rules) -> RuleRow:
    tier, reason = cast(Tier, rule["tier"]), cast(Reason, rule["reason"])
    is_count = reason in ("consecutive_failures", "signature_change")
    return RuleRow(
        text=rule_text(tier, reason, rules),
        tier=tier,
        reason=reason,
        holds=rule["holds"],
        now=_number(rule["value"], is_count),
        limit=_number(rule["limit"], is_count),
        executions=rule["executions"],
        executions_needed=rule["executions_needed"],
    )


def _number(value: float | None, is_count: bool) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if is_count else f"{100 * value:.1f} %"


def _odds(health: Mapping[str, Any]) -> list[Odds]:
    """Return the tests of policy `guarded`; none under another policy."""
    found = []
    if health.get("evidence") is not None:
        found.append(_test("regression", health, health["evidence"]))
    for reason, test in (health.get("quality") or {}).items():
        found.append(_test(reason, health, test))
    return found


def _test(reason: str, health: Mapping[str, Any], test: Mapping[str, Any]) -> Odds:
    text = evidence_of(dict(health), cast(Reason, reason)) or ""
    return Odds(reason, text, test.get("odds"), test.get("limit"))


def _version(version: VersionRecord, numbers: Mapping[int, int]) -> VersionRow:
    by = next((each.activated_by_name for each in version.activations), None)
    previous = version.previous_version_id
    return VersionRow(
        record=version,
        by=by or version.created_by,
        why=version.improvement_reason or "",
        previous_number=None if previous is None else numbers.get(previous),
    )
