"""What rollbacks cost, and whom they concern: sessions, callers and engines."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from db.postgres.pool import Connection
from db.rollbacks.costs import (
    MOST_OF_EACH,
    MOST_OF_ONE,
    CallSpan,
    Concerned,
    call_spans,
    calls_around,
    concerned_by,
)
from db.rollbacks.records import RollbackRecord
from policy.rollbacks.costs import CostedCommand, RollbackCost, TotalCost, cost_of, total_of
from rollguard.operations.overview.engines import EngineOfTool, engines_of
from schemas.fields import Time
from schemas.message import Message
from schemas.rollback import CommandKey
from schemas.settings import Settings

_MOST_ENGINES: Final = 50


class CostedRollback(NamedTuple):
    """A rollback with what it cost; None if the command names no version of its tool."""

    record: RollbackRecord
    cost: RollbackCost | None


class Concern(Message):
    """A session or a caller, and how many of its calls failed."""

    name: str
    failures: int
    last_at: Time


class Concerns(Message):
    """The sessions, or the callers, whose calls failed; those with the most failures first."""

    number: int
    """How many there are with a name."""
    most: list[Concern]
    """The first twenty of them."""
    without_name: int
    """Failed calls that name none."""


class EnginesAffected(Message):
    """The engines of the tool that were heard lately."""

    reloaded: int
    """How many run another version than the one that is replaced."""
    not_reloaded: int
    failed: int
    """How many cannot load the version that is current now."""
    unknown: int
    behind: list[EngineOfTool]
    """At most fifty of those that have not reloaded or cannot load."""


class Affected(Message):
    """Whom the failed calls of a version concern, as far as these were looked at."""

    sessions: Concerns
    callers: Concerns
    engines: EnginesAffected


async def costs_of(
    conn: Connection, commands: Sequence[RollbackRecord]
) -> dict[CommandKey, RollbackCost]:
    """Return what each of these rollbacks cost; of one that names no version nothing is known."""
    spans = await call_spans(conn, [each.key for each in commands])
    around = await calls_around(conn, list(spans.values()), MOST_OF_EACH)
    found = dict(zip(spans, around, strict=True))
    return {
        each.key: cost_of(found[each.key], each.status, each.reason, each.rejection)
        for each in commands
        if each.key in found
    }


def total_cost(costs: Iterable[tuple[RollbackRecord, RollbackCost | None]]) -> TotalCost:
    """Return what these rollbacks cost together, as far as that is known."""
    return total_of(
        [
            CostedCommand(
                (record.tool_name, record.from_version_id, record.from_activation),
                record.status,
                cost,
            )
            for record, cost in costs
            if cost is not None
        ]
    )


async def span_of(conn: Connection, command: RollbackRecord) -> CallSpan | None:
    """Return the times of the calls around a rollback; None if it names no version of its tool."""
    return (await call_spans(conn, [command.key])).get(command.key)


async def cost_of_one(conn: Connection, command: RollbackRecord, span: CallSpan) -> RollbackCost:
    """Return what one rollback cost; more calls are looked at than for one of a list."""
    [around] = await calls_around(conn, [span], MOST_OF_ONE)
    return cost_of(around, command.status, command.reason, command.rejection)


async def affected_by(settings: Settings, conn: Connection, span: CallSpan) -> Affected:
    """Return whom the failed calls of the version concern, and which engines still run it."""
    concerned = await concerned_by(conn, span)
    engines = await engines_of(settings, span.tool_name, conn)
    return Affected(
        sessions=concerns_of(each for each in concerned if each.kind == "session"),
        callers=concerns_of(each for each in concerned if each.kind == "caller"),
        engines=engines_affected(engines, span.from_version_id),
    )


def concerns_of(concerned: Iterable[Concerned]) -> Concerns:
    """Return those of one kind together."""
    given = list(concerned)
    return Concerns(
        number=max((each.named for each in given), default=0),
        most=[
            Concern(name=each.name, failures=each.failures, last_at=each.last_at)
            for each in given
            if each.name is not None
        ],
        without_name=sum(each.failures for each in given if each.name is None),
    )


def engines_affected(engines: Sequence[EngineOfTool], replaced_id: int) -> EnginesAffected:
    """Return which engines have left the version that is replaced, and which have not.

    If that version is current again, whoever runs it has done what it should.
    """
    behind, reloaded, failed, unknown = [], 0, 0, 0
    for each in engines:
        if each.state == "failed":
            failed += 1
            behind.append(each)
        elif each.state == "unknown":
            unknown += 1
        elif each.version_id == replaced_id and each.state != "current":
            behind.append(each)
        else:
            reloaded += 1
    return EnginesAffected(
        reloaded=reloaded,
        not_reloaded=len(behind) - failed,
        failed=failed,
        unknown=unknown,
        behind=behind[:_MOST_ENGINES],
    )
