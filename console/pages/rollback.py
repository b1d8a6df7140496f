"""The page *a rollback*: why it was decided, whom it concerned, and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.admission.paths import own_path
from console.admission.visitor import visitor_of
from console.answering import answer_rollback
from console.api.parameters import CommandIdInPath, IdBeginningInPath, ServicesHere
from console.events.event import Event
from console.pages.around import PARTS, Around, Shown, around_of, narrowed, shown_time
from console.pages.evidence_bars import Bar, bars_of
from console.pages.filters import TextInForm, ToolFilter, ToolInForm
from console.pages.forms import Confirmed, Reason, Result, ordered
from console.pages.rendering.answers import page
from console.pages.rendering.known import or_note
from console.pages.rollbacks import outcome_text, rollback_path
from console.services import Services
from db.postgres.pool import Connection
from db.rollbacks.costs import CallSpan, calls_by_parts
from db.rollbacks.records import RollbackRecord, held
from policy.rollbacks.costs import cost_text, spared_text
from rollguard.management.outcome_texts import why_not_applied
from rollguard.operations.rollbacks import RollbackExplanation, command_named, explanation_of
from rollguard.value_texts import hold_text, version_text
from schemas.errors import Missing
from schemas.explanation import Explanation
from schemas.rollback import RollbackOutcome, TargetChoice

router: Final = APIRouter()
_TARGETS: Final[dict[TargetChoice, str]] = {
    "earned": "the nearest version that was surely better than the one that it replaces",
    "nearest": "the nearest version that is trusted",
}


@dataclass(frozen=True)
class RollbackView:
    """A rollback, ready to be shown."""

    found: RollbackExplanation
    title: str
    outcome: str
    waits: bool
    """Whether it can be answered now."""
    bars: list[Bar]
    around: Around | None
    cost: str
    spared: str
    target: str
    numbers: dict[str, Any]
    """What else the command says, by name."""
    compare: str | None
    """The query of the page that compares the two versions."""

    @property
    def command(self) -> RollbackRecord:
        """The command and its outcome."""
        return self.found.command

    @property
    def explanation(self) -> Explanation | None:
        """What was written down when it was decided."""
        return self.found.command.explanation


@router.get("/rollbacks/{command_id}")
async def rollback_page(
    request: Request, services: ServicesHere, command_id: IdBeginningInPath, tool: ToolFilter = None
) -> Response:
    """Show a rollback; while Postgres is away, what its outcome said."""
    now, notes = datetime.now(UTC), list[str]()
    view = await or_note(_view(services, command_id, tool, now), notes, "Only its outcome is known")
    if view is None:
        outcome = outcome_in(services.feed.newest(), command_id, tool)
        if outcome is None:
            raise Missing(f"{notes[0]}; and no event of the last minutes has this id")
        return page(
            request,
            "rollback_outcome.html",
            outcome=outcome,
            notes=notes,
            as_of=services.feed.as_of,
        )
    return page(request, "rollback.html", view=view, notes=notes, as_of=now)


@router.post("/rollbacks/{command_id}/approve")
async def approve(
    request: Request,
    services: ServicesHere,
    command_id: CommandIdInPath,
    tool: ToolInForm,
    back: TextInForm = "",
    confirmed: Confirmed = "",
) -> Response:
    """Carry out a held rollback in the name of who asks."""
    to = _way_back(back, command_id, tool)

    async def order() -> Result:
        by = visitor_of(request).name
        outcome = await answer_rollback(services, command_id, tool, approved_by=by)
        if outcome.status == "applied":
            current = version_text(outcome.to_version_number, outcome.to_version_id)
            return Result(f"{tool}: {current} is current again.")
        why = why_not_applied(outcome, outcome.to_version_id)
        return Result(f"It was not carried out: {why}.", is_done=False)

    return await ordered(request, to, confirmed, None, order)


@router.post("/rollbacks/{command_id}/dismiss")
async def dismiss(
    request: Request,
    services: ServicesHere,
    command_id: CommandIdInPath,
    tool: ToolInForm,
    reason: Reason = "",
    back: TextInForm = "",
    confirmed: Confirmed = "",
) -> Response:
    """Reject a held rollback in the name of who asks."""
    to = _way_back(back, command_id, tool)

    async def order() -> Result:
        by = visitor_of(request).name
        outcome = await answer_rollback(
            services, command_id, tool, dismissed_by=by, dismissal=reason.strip()
        )
        if outcome.rejection == "dismissed":
            return Result(f"{tool}: the rollback is dismissed, and nothing changes.")
        what = "it was carried out already"
        if outcome.status != "applied":
            what = why_not_applied(outcome, outcome.to_version_id)
        return Result(f"It was not dismissed: {what}.", is_done=False)

    return await ordered(request, to, confirmed, reason, order)


def _way_back(given: str, command_id: UUID, tool: str) -> str:
    wanted = own_path(given)
    return rollback_path(command_id, tool) if wanted == "/" else wanted


async def _view(
    services: Services, beginning: str, tool: str | None, now: datetime
) -> RollbackView:
    async with services.postgres() as conn:
        named = await command_named(conn, beginning, tool)
        found = await explanation_of(services.settings, named, conn)
        command, around = found.command, None
        waits = command.status == "held" and command.key in {
            each.key for each in await held(conn, command.tool_name)
        }
        if found.span is not None:
            shown = shown_time(found.span, now)
            around = await _around(conn, found.span, shown, _names(command))
    return view_of(found, around, waits=waits)


async def _around(conn: Connection, span: CallSpan, shown: Shown, names: dict[int, str]) -> Around:
    calls = await calls_by_parts(conn, span, *shown, PARTS)
    closer = narrowed(shown, calls)
    if closer is not None:
        shown, calls = closer, await calls_by_parts(conn, span, *closer, PARTS)
    return around_of(span, shown, calls, names)


def view_of(found: RollbackExplanation, around: Around | None, *, waits: bool) -> RollbackView:
    """Return what the page shows of a rollback."""
    command, cost = found.command, found.cost
    return RollbackView(
        found=found,
        title=f"{command.tool_name}: {_what(command)}",
        outcome=_outcome(command),
        waits=waits,
        bars=bars_of(command),
        around=around if around is not None and around.rows else None,
        cost="not known: the command names no version" if cost is None else cost_text(cost),
        spared=spared_text(cost),
        target="" if command.target is None else _TARGETS[command.target],
        numbers={name: value for name, value in command.details.items() if name not in _SHOWN},
        compare=_compared(command),
    )


_SHOWN: Final = frozenset({"recent", "evidence", "quality"})


def _what(command: RollbackRecord) -> str:
    """Return what happened in a few words: ``v2 was rolled back to v1``."""
    source = version_text(command.from_version_number, None)
    target = version_text(command.to_version_number, None)
    match command.status:
        case "applied":
            return f"{source} was rolled back to {target}"
        case "held":
            return f"a rollback of {source} to {target} waits for a person"
        case "observed":
            return f"{source} would have been rolled back to {target} (dry run)"
        case _:
            return f"{source} was not rolled back"


def _outcome(command: RollbackRecord) -> str:
    """Return why it has its outcome; "" if there is nothing to say."""
    if command.status == "held" and command.hold_reason is not None:
        return hold_text(command.hold_reason)
    if command.status == "rejected" and command.dismissed_by is None:
        return why_not_applied(_as_outcome(command), command.to_version_id)
    return outcome_text(command)


def _as_outcome(command: RollbackRecord) -> RollbackOutcome:
    fields = {name: getattr(command, name) for name in RollbackOutcome.model_fields}
    return RollbackOutcome.model_construct(**fields)


def _names(command: RollbackRecord) -> dict[int, str]:
    named = (
        (command.from_version_id, command.from_version_number),
        (command.to_version_id, command.to_version_number),
    )
    return {each_id: version_text(number, None) for each_id, number in named if each_id is not None}


def _compared(command: RollbackRecord) -> str | None:
    source, target = command.from_version_number, command.to_version_number
    if source is None or target is None or source == target:
        return None
    return f"from=v{target}&to=v{source}"


def outcome_in(events: Sequence[Event], beginning: str, tool: str | None) -> RollbackOutcome | None:
    """Return the newest outcome of a command in these events; its id has this beginning."""
    for event in events:
        if event.place[0] == "rollbacks":
            outcome = RollbackOutcome.from_bytes(event.data)
            if outcome.command_id.hex.startswith(beginning) and tool in (None, outcome.tool_name):
                return outcome
    return None
