"""The system: how it does, and the records that could not be used."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, TypeAdapter
from starlette.responses import Response

from console.api.answers import answered
from console.api.cursors import cursor_of, values_of
from console.api.documented import asked
from console.api.models import DeadLetterList, SystemNow
from console.api.parameters import Cursor, Limit, OfTool, ServicesHere, Since, no_nul
from db.replays import RecordPosition
from rollguard.operations.dead_letters.bad_records import BadRecord, DeadLetterFilter
from rollguard.operations.dead_letters.dead_letters import BadRecordList, known_replays
from schemas.errors import RollguardError
from schemas.fields import Time

router: Final = APIRouter(tags=["system"])
_AFTER: Final[TypeAdapter[tuple[Time, str, int, int]]] = TypeAdapter(tuple[Time, str, int, int])


@router.get("/system", response_model=SystemNow, responses=asked())
async def system(request: Request, services: ServicesHere) -> Response:
    """Show brokers, roles and their lag, Postgres, and what is stuck."""
    return answered(request, (await services.system.get()).data())


@router.get("/dead-letters", response_model=DeadLetterList, responses=asked())
async def dead_letters(
    request: Request,
    services: ServicesHere,
    topic: Annotated[
        str | None, Query(max_length=249, description="Only records of this topic.")
    ] = None,
    tool: OfTool = None,
    error: Annotated[
        str | None,
        AfterValidator(no_nul),
        Query(max_length=1_000, description="Only those whose error has this part."),
    ] = None,
    since: Since = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List the records that could not be used, the last rejected first, without their values.

    They are read from Kafka, and are up to 15 s old.
    """
    after = values_of(cursor, _AFTER)
    found = await services.dead_letters.get()
    wanted = DeadLetterFilter(None, topic, tool, error, since)
    matching = wanted.matching(found, services.settings.topic_prefix)
    rest = matching
    if after is not None:
        place = (after[0], RecordPosition(*after[1:]))
        rest = [each for each in matching if _place(each) < place]
    shown, notes, replays = rest[:limit], [], {}
    if found.not_dead_letters:
        notes.append(f"{found.not_dead_letters} records are no dead letters")
    try:
        async with services.postgres() as conn:
            replays = await known_replays(services.settings, shown, conn)
    except RollguardError as cause:
        notes.append(f"what was replayed is not known: {cause}")
    unpublished = sum(each.unpublished for each in matching)
    listed = BadRecordList(shown, len(matching), unpublished, replays, 0, None)
    last = shown[-1] if len(rest) > limit else None
    following = None
    if last is not None:
        following = cursor_of(last.rejected_at.isoformat(), *last.position)
    return answered(
        request,
        {
            "dead_letters": [listed.data_of(each) for each in shown],
            "matching": len(matching),
            "next_cursor": following,
            "notes": notes,
        },
    )


def _place(record: BadRecord) -> tuple[object, ...]:
    """Return the place of a record in the list."""
    return record.rejected_at, record.position
