"""Records that could not be used: by their causes, one by one, and publishing them again."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator, BeforeValidator, TypeAdapter
from starlette.responses import Response

from console.api.answers import answered, done
from console.api.cursors import cursor_of, values_of
from console.api.documented import asked, changed
from console.api.models import BadRecordInFullData, CauseList, DeadLetterList, ReplayDone
from console.api.orders import NewReplay
from console.api.parameters import Cursor, Limit, OfTool, ServicesHere, Since, decoded, no_nul
from console.api.problems import ProblemError
from console.services import Services
from db.replays import RecordPosition, Replay
from rollguard.operations.dead_letters.bad_records import (
    BadRecord,
    DeadLetterFilter,
    parse_position,
)
from rollguard.operations.dead_letters.causes import causes_of
from rollguard.operations.dead_letters.dead_letters import (
    BadRecordInFull,
    BadRecordList,
    known_replays,
    notes_on,
    require_found,
    value_of,
    without_replays,
)
from rollguard.operations.dead_letters.replay import ReplayPart, Replays, replay_matching
from schemas.errors import Rejected, Retryable, RollguardError
from schemas.fields import Time

router: Final = APIRouter(tags=["dead letters"])
_AFTER: Final[TypeAdapter[tuple[Time, str, int, int]]] = TypeAdapter(tuple[Time, str, int, int])
_AFTER_LETTER: Final[TypeAdapter[tuple[str, int, int]]] = TypeAdapter(tuple[str, int, int])
_Topic = Annotated[str | None, Query(max_length=249, description="Only records of this topic.")]
_Error = Annotated[
    str | None,
    AfterValidator(lambda text: text if text is None else no_nul(text)),
    Query(max_length=1_000, description="Only those whose error has this part."),
]
_Cause = Annotated[str | None, Query(max_length=2_000, description="Only those with this cause.")]
_Position = Annotated[
    str,
    BeforeValidator(decoded),
    AfterValidator(no_nul),
    Path(
        alias="id",
        max_length=300,
        description="The position of a record: topic, partition and offset.",
        examples=["tool-executions:0:17"],
    ),
]


@router.get("/dead-letters", response_model=DeadLetterList, responses=asked())
async def dead_letters(
    request: Request,
    services: ServicesHere,
    topic: _Topic = None,
    tool: OfTool = None,
    error: _Error = None,
    cause: _Cause = None,
    since: Since = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List the records that could not be used, the last rejected first, without their values.

    They are read from Kafka, and are up to 15 s old.
    """
    after = values_of(cursor, _AFTER)
    found = await services.dead_letters.get()
    wanted = DeadLetterFilter(None, topic, tool, error, since, cause)
    matching = wanted.matching(found, services.settings.topic_prefix)
    rest = matching
    if after is not None:
        place = (after[0], RecordPosition(*after[1:]))
        rest = [each for each in matching if _place(each) < place]
    shown = rest[:limit]
    listed = await _with_replays(services, shown, matching, notes_on(found))
    last = shown[-1] if len(rest) > limit else None
    following = None
    if last is not None:
        following = cursor_of(last.rejected_at.isoformat(), *last.position)
    return answered(
        request,
        {
            "dead_letters": [listed.data_of(each) for each in shown],
            "matching": len(matching),
            "unpublished": listed.unpublished,
            "next_cursor": following,
            "notes": listed.notes,
        },
    )


@router.get("/dead-letters/causes", response_model=CauseList, responses=asked())
async def causes(
    request: Request,
    services: ServicesHere,
    topic: _Topic = None,
    tool: OfTool = None,
    error: _Error = None,
    since: Since = None,
) -> Response:
    """List why records were rejected, and how many for each cause.

    They are read from Kafka, and are up to 15 s old.
    """
    found = await services.dead_letters.get()
    wanted = DeadLetterFilter(None, topic, tool, error, since)
    matching = wanted.matching(found, services.settings.topic_prefix)
    return answered(
        request,
        {
            "causes": [each.data() for each in causes_of(matching)],
            "records": len(matching),
            "notes": notes_on(found),
        },
    )


@router.get("/dead-letters/{id}", response_model=BadRecordInFullData, responses=asked())
async def dead_letter(request: Request, services: ServicesHere, position: _Position) -> Response:
    """Show one record with its value, as far as its dead letter keeps it.

    404 also for one that was rejected within the last 15 s.
    """
    named, known = _position(position), await services.dead_letters.get()
    record = known.by_position.get(named)
    found = [] if record is None else [record]
    require_found(named, found)
    listed = await _with_replays(services, found, found, notes_on(known))
    in_full = BadRecordInFull(listed, await value_of(services.settings, found[0]))
    return answered(request, in_full.data() | {"notes": listed.notes})


@router.post("/dead-letters/replay", response_model=ReplayDone, responses=changed())
async def replay(services: ServicesHere, new: NewReplay) -> Response:
    """Publish bad records again to the topics they came from, after their cause was removed.

    One by its `id`, or those that match. A record is published once, whoever asks and how often.
    Those that would be rejected again, or whose replay has no use, are `refused` with a reason. Of
    many records, `limit` are tried: go on with `next_cursor`. After 503, `known` has what was done.
    """
    done_now = Replays()
    after = values_of(new.cursor, _AFTER_LETTER)
    try:
        following = await replay_matching(
            services.settings,
            _wanted(new),
            done_now,
            force=new.force,
            part=ReplayPart(new.limit, None if after is None else RecordPosition(*after)),
        )
    except Retryable as error:
        if not done_now.replayed and not done_now.refused:
            raise
        known = done_now.data()
        raise ProblemError(503, str(error), "unavailable", part=error.part, known=known) from error
    cursor = None if following is None else cursor_of(*following)
    return done(done_now.data() | {"next_cursor": cursor})


def _wanted(new: NewReplay) -> DeadLetterFilter:
    if new.id is not None:
        return DeadLetterFilter(_position(new.id))
    return DeadLetterFilter(None, new.topic, new.tool, new.error, new.since, new.cause)


def _position(text: str) -> RecordPosition:
    try:
        return parse_position(text)
    except ValueError:
        raise Rejected(f"{text!r} is not TOPIC:PARTITION:OFFSET") from None


async def _with_replays(
    services: Services, shown: list[BadRecord], matching: list[BadRecord], notes: list[str]
) -> BadRecordList:
    """Return the records to show, with what is known of their replays."""
    replays: Mapping[RecordPosition, Replay] = {}
    try:
        async with services.postgres() as conn:
            replays = await known_replays(services.settings, shown, conn)
    except RollguardError as error:
        notes.append(without_replays(error))
    unpublished = sum(each.unpublished for each in matching)
    return BadRecordList(shown, len(matching), unpublished, replays, notes)


def _place(record: BadRecord) -> tuple[object, ...]:
    """Return the place of a record in the list."""
    return record.rejected_at, record.position
