"""The page *dead letters*: records that could not be used, by cause, and their replay."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote

from fastapi import APIRouter, Form, Path, Request
from pydantic import BaseModel
from starlette.responses import Response

from console.api.parameters import ServicesHere
from console.pages.filters import TextFilter, TimeFilter, ToolFilter, address
from console.pages.forms import Result, ordered
from console.pages.rendering.answers import page
from console.pages.rendering.known import or_note
from console.services import Services
from db.replays import RecordPosition, Replay
from rollguard.operations.dead_letters.bad_records import (
    BadRecord,
    BadRecords,
    DeadLetterFilter,
    parse_position,
)
from rollguard.operations.dead_letters.causes import Cause, causes_of
from rollguard.operations.dead_letters.dead_letters import bad_record_with_value, known_replays
from rollguard.operations.dead_letters.replay import ReplayPart, Replays, replay_matching
from rollguard.operations.dead_letters.replay_checks import replay_text
from schemas.errors import Rejected, Retryable
from schemas.fields import parse_time
from schemas.settings import Settings

router: Final = APIRouter()
PATH: Final = "/dead-letters"
_CAUSES: Final = 100
_RECORDS: Final = 50
_AT_ONCE: Final = 100
"""How many records one form replays."""
_KAFKA_S: Final = 8.0
"""How long a page waits for them."""
_FILTERS: Final = ("topic", "tool", "error", "cause", "since")
_SHOWN_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class CauseRow:
    """A cause, and the address of its records."""

    cause: Cause
    path: str


@dataclass(frozen=True)
class RecordRow:
    """A bad record of a cause."""

    record: BadRecord
    path: str
    replay: str


@router.get(PATH)
async def dead_letters_page(
    request: Request,
    services: ServicesHere,
    topic: TextFilter = None,
    tool: ToolFilter = None,
    error: TextFilter = None,
    cause: TextFilter = None,
    since: TimeFilter = None,
) -> Response:
    """List causes, or the records of one cause."""
    notes: list[str] = []
    found = await or_note(_bad_records(services), notes, "These are not the newest")
    if found is None:
        found = services.dead_letters.last
    wanted = DeadLetterFilter(None, topic, tool, error, since, cause)
    matching, causes = await asyncio.to_thread(_sorted_out, services.settings, found, wanted)
    filters = {
        **{"topic": topic, "tool": tool, "error": error, "cause": cause},
        **{"since": since and since.isoformat()},
    }
    replays = await _replays(services, matching[:_RECORDS], notes) if cause else {}
    if found is not None and found.not_dead_letters:
        notes.append(f"{found.not_dead_letters} records of the topic are no dead letters")
    return page(
        request,
        "dead_letters.html",
        is_known=found is not None,
        causes=cause_rows(causes[:_CAUSES], filters),
        records=record_rows(matching[:_RECORDS], replays) if cause else [],
        matching=len(matching),
        unpublished=sum(each.unpublished for each in matching),
        topics=_topics(found),
        filters=filters,
        here=address(PATH, **filters),
        everything=address(PATH, **filters | {"cause": None}),
        at_once=_AT_ONCE,
        notes=notes,
        as_of=services.dead_letters.last_at,
    )


async def _bad_records(services: Services) -> BadRecords:
    """Return all bad records. Who waits too long for them finds them there the next time."""
    try:
        async with asyncio.timeout(_KAFKA_S):
            return await services.dead_letters.get()
    except TimeoutError:
        raise Retryable("Kafka", f"no answer within {_KAFKA_S:g} s") from None


def _sorted_out(
    settings: Settings, found: BadRecords | None, wanted: DeadLetterFilter
) -> tuple[list[BadRecord], list[Cause]]:
    """Return the records that are wanted and their causes. There may be very many."""
    if found is None:
        return [], []
    matching = wanted.matching(found, settings.topic_prefix)
    return matching, causes_of(matching)


@router.get(f"{PATH}/{{id}}")
async def dead_letter_page(
    request: Request, services: ServicesHere, given: Annotated[str, Path(alias="id")]
) -> Response:
    """Show one record with its value, as far as its dead letter keeps it."""
    found = await bad_record_with_value(services.settings, _position(unquote(given)))
    [record] = found.listed.records
    value = found.value
    return page(
        request,
        "dead_letter.html",
        row=record_rows([record], found.listed.replays)[0],
        value=None if value is None else shown_bytes(value),
        size=None if value is None else len(value),
        notes=found.listed.notes,
    )


class ReplayForm(BaseModel):
    """What is replayed: one record by its id, or the first of those that match."""

    id: str = ""
    topic: str = ""
    tool: str = ""
    error: str = ""
    cause: str = ""
    since: str = ""
    force: str = ""
    confirmed: str = ""

    @property
    def path(self) -> str:
        """The address of the page that has the form."""
        if self.id:
            return record_path(self.id)
        return address(PATH, **self.model_dump(include={*_FILTERS}))

    @property
    def wanted(self) -> DeadLetterFilter:
        """The records. Raises Rejected."""
        if self.id:
            return DeadLetterFilter(_position(self.id))
        named = (self.topic or None, self.tool or None, self.error or None)
        return DeadLetterFilter(None, *named, _time(self.since), self.cause or None)


@router.post(f"{PATH}/replay")
async def replay(
    request: Request, services: ServicesHere, form: Annotated[ReplayForm, Form()]
) -> Response:
    """Publish records again, as ``rollguard replay`` does."""

    async def order() -> Result:
        done = Replays()
        try:
            following = await replay_matching(
                services.settings,
                form.wanted,
                done,
                force=bool(form.force),
                part=ReplayPart(_AT_ONCE),
            )
        except Retryable as failed:
            if not done.replayed and not done.refused:
                raise
            text = f"{replayed_text(done, more=True)} Then it failed: {failed}."
            return Result(text, is_done=False)
        return Result(replayed_text(done, more=following is not None), not done.refused)

    return await ordered(request, form.path, form.confirmed, None, order)


def record_path(record_id: str) -> str:
    """Return the address of a record's page."""
    return f"{PATH}/{quote(record_id, safe=':')}"


def cause_rows(causes: Sequence[Cause], filters: dict[str, Any]) -> list[CauseRow]:
    """Return the causes with the addresses of their records."""
    return [
        CauseRow(each, address(PATH, **filters | {"cause": each.cause, "topic": each.topic}))
        for each in causes
    ]


def record_rows(
    records: Sequence[BadRecord], replays: Mapping[RecordPosition, Replay]
) -> list[RecordRow]:
    """Return the records with their addresses, and what is known of their replays."""
    return [
        RecordRow(
            each,
            record_path(str(each.position)),
            replay_text(replays[each.position]) if each.position in replays else "",
        )
        for each in records
    ]


def shown_bytes(value: bytes) -> str:
    """Return a value as text if it is UTF-8, otherwise in hex; the beginning of a long one."""
    cut = value[:_SHOWN_BYTES]
    try:
        text = cut.decode()
    except UnicodeDecodeError:
        text = cut.hex(" ")
    return text if len(cut) == len(value) else f"{text}…"


def replayed_text(done: Replays, *, more: bool) -> str:
    """Say what came of a replay."""
    parts = [f"{len(done.replayed)} published again."]
    if done.refused:
        reasons = list(dict.fromkeys(each.reason for each in done.refused))
        shown = "; ".join(reasons[:3]) + ("; …" if len(reasons) > 3 else "")
        parts.append(f"{len(done.refused)} refused: {shown}.")
    if not done.replayed and not done.refused:
        parts = ["All that match were published again before."]
    if more:
        parts.append("More remain: replay again.")
    return " ".join(parts)


async def _replays(
    services: Services, records: Sequence[BadRecord], notes: list[str]
) -> dict[RecordPosition, Replay]:
    async def ask() -> dict[RecordPosition, Replay]:
        async with services.postgres() as conn:
            return await known_replays(services.settings, records, conn)

    return await or_note(ask(), notes, "What was replayed is not known") or {}


def _topics(found: BadRecords | None) -> list[str]:
    return sorted({each.topic for each in found.by_position}) if found is not None else []


def _position(text: str) -> RecordPosition:
    try:
        return parse_position(text)
    except ValueError:
        raise Rejected(f"{text[:300]!r} is not TOPIC:PARTITION:OFFSET") from None


def _time(text: str) -> Any:
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError:
        raise Rejected(f"since: {text[:100]!r} is not a time with an offset") from None
