"""The page *rollbacks*: those of the last hour or of another time, and what they cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.api.cursors import cursor_of, values_of
from console.api.parameters import ServicesHere
from console.api.rollbacks import AFTER
from console.events.event import Event
from console.pages.filters import (
    PERIODS,
    CursorFilter,
    PeriodFilter,
    StatusFilter,
    TierFilter,
    TimeFilter,
    ToolFilter,
    address,
    begin_of,
)
from console.pages.rendering.answers import page
from console.pages.rendering.known import or_note
from console.questions.rollbacks import ListedRollbacks, listed_rollbacks
from db.rollbacks.records import AfterRollback, RollbackRecord, RollbacksWanted
from policy.rollbacks.costs import RollbackCost, cost_text, spared_text, total_text
from rollguard.value_texts import dismissal_text
from schemas.rollback import CommandKey, RollbackOutcome, Status, Tier

router: Final = APIRouter()
PATH: Final = "/rollbacks"
_LIMIT: Final = 50
STATUSES: Final[Sequence[Status]] = ("applied", "rejected", "held", "observed")
TIERS: Final[Sequence[Tier]] = ("immediate", "fast", "standard", "manual")


@dataclass(frozen=True)
class RollbackRow:
    """A rollback on one line. What only Postgres knows is None if it does not answer."""

    path: str
    tool_name: str
    applied_at: datetime
    status: Status
    outcome: str
    """What came of it, in words: who decided it, or why nothing was changed."""
    from_version_number: int | None
    to_version_number: int | None
    reason: str
    tier: str
    issued_by: str | None
    breaks: bool
    cost: str
    failures: int | None
    spared: str


@router.get(PATH)
async def rollbacks_page(
    request: Request,
    services: ServicesHere,
    tool: ToolFilter = None,
    status: StatusFilter = None,
    tier: TierFilter = None,
    period: PeriodFilter = "1h",
    since: TimeFilter = None,
    until: TimeFilter = None,
    cursor: CursorFilter = None,
) -> Response:
    """List rollbacks with what each cost."""
    now, notes = datetime.now(UTC), list[str]()
    after = values_of(cursor, AFTER)
    begin = since or (None if until else begin_of(period, now))
    wanted = RollbacksWanted(tool, status, begin, tier, until)
    filters: dict[str, Any] = {
        **{"tool": tool, "status": status, "tier": tier, "period": period},
        **{
            "since": None if since is None else since.isoformat(),
            "until": until and until.isoformat(),
        },
    }
    found = await or_note(
        listed_rollbacks(
            services, wanted, None if after is None else AfterRollback(*after), _LIMIT, costs=True
        ),
        notes,
        "Only what was told lately is listed, and no costs",
    )
    if found is None:
        rows = rows_of_events(services.feed.newest(), wanted)
    else:
        rows = [row_of(each, found.costs.get(each.key)) for each in found.rollbacks]
    return page(
        request,
        "rollbacks.html",
        rows=rows,
        total=None if found is None or found.total is None else total_text(found.total),
        as_of=now if found is not None else services.feed.as_of,
        source="Postgres" if found is not None else "events",
        notes=notes,
        filters=filters,
        periods={name: text for name, (text, _) in PERIODS.items()},
        statuses=STATUSES,
        tiers=TIERS,
        first=None if cursor is None else address(PATH, **filters),
        following=_following(found, filters),
    )


def _following(found: ListedRollbacks | None, filters: Mapping[str, Any]) -> str | None:
    if found is None or not found.has_more:
        return None
    last = found.rollbacks[-1]
    cursor = cursor_of(last.applied_at.isoformat(), last.command_id, last.tool_name)
    return address(PATH, **filters, cursor=cursor)


def rollback_path(command_id: UUID, tool: str) -> str:
    """Return the path of a rollback's page; an id counts within its tool."""
    return address(f"{PATH}/{command_id}", tool=tool)


def row_of(record: RollbackRecord, cost: RollbackCost | None) -> RollbackRow:
    """Return the line of a rollback."""
    return RollbackRow(
        path=rollback_path(record.command_id, record.tool_name),
        tool_name=record.tool_name,
        applied_at=record.applied_at,
        status=record.status,
        outcome=outcome_text(record),
        from_version_number=record.from_version_number,
        to_version_number=record.to_version_number,
        reason=record.reason,
        tier=record.tier,
        issued_by=record.issued_by,
        breaks=bool(record.is_breaking_change),
        cost="not known" if cost is None else cost_text(cost),
        failures=None if cost is None else cost.failures,
        spared=spared_text(cost),
    )


def outcome_text(record: RollbackRecord) -> str:
    """Say who decided a rollback, or why nothing was changed; "" if there is nothing to say."""
    if record.dismissed_by is not None:
        return dismissal_text(record.dismissed_by, record.dismissal)
    if record.approved_by is not None:
        return f"approved by {record.approved_by}"
    return str(record.rejection or record.hold_reason or "").replace("_", " ")


def rows_of_events(events: Iterable[Event], wanted: RollbacksWanted) -> list[RollbackRow]:
    """Return what the newest events tell of the rollbacks that are wanted, the newest first."""
    outcomes: dict[CommandKey, RollbackOutcome] = {}
    for event in events:
        if event.place[0] == "rollbacks":
            outcome = RollbackOutcome.from_bytes(event.data)
            outcomes.setdefault(outcome.key, outcome)
    return [
        RollbackRow(
            path=rollback_path(each.command_id, each.tool_name),
            tool_name=each.tool_name,
            applied_at=each.applied_at,
            status=each.status,
            outcome=str(each.rejection or each.hold_reason or "").replace("_", " "),
            from_version_number=None,
            to_version_number=each.to_version_number,
            reason=each.reason,
            tier=each.tier,
            issued_by=None,
            breaks=bool(each.is_breaking_change),
            cost="not known",
            failures=None,
            spared="–",
        )
        for each in outcomes.values()
        if wanted.tool_name in (None, each.tool_name)
        and wanted.status in (None, each.status)
        and wanted.tier in (None, each.tier)
        and (wanted.since is None or each.applied_at >= wanted.since)
        and (wanted.until is None or each.applied_at <= wanted.until)
    ]
