"""Bad records once more, after the cause was mended: each at most once, and only where that helps.

A claim in Postgres comes before publishing: whoever runs this twice, or at once, or is killed in
between publishes no record a second time. (The producer itself sends again where an acknowledgement
is lost on its way; that is harmless, as the ids in the record are the same.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from agents.worker.preflight import kafka_admin
from db.executions.queries import executions_by_id
from db.postgres.pool import Connection
from db.replays import RecordPosition, Replay, changed_at, claim, give_back, published, replays
from db.rollbacks.records import rollback_by_id
from db.versions.deploying import outcome_of
from rollguard.client import EngineClient
from rollguard.operations.dead_letters import (
    BadRecord,
    DeadLetterFilter,
    bad_records,
    known_replays,
    require_found,
    values_of,
)
from rollguard.operations.reads import connection
from schemas.dead_letter import MAX_KEY_BYTES, MAX_VALUE_BYTES
from schemas.deployment import Deployment
from schemas.errors import Rejected
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.rollback import RollbackCommand
from schemas.settings import Settings
from streams.partitions import partition_of
from streams.records import RecordValidator
from streams.retries import when_it_answers
from streams.topic_reader import open_reader
from streams.topics import Topics, require_topics

Change = ExecutionEntry | Activation | Deployment | RollbackCommand


@dataclass
class Again:
    """A bad record as it would be read when it is published again now (:class:`Record`)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Replayed(NamedTuple):
    """A record that was published again, and where it stands now. A deployment has another id
    there: the outcome of the old one is `refused` and stays.
    """

    place: RecordPosition
    to: RecordPosition
    deployment_id: UUID | None


class NotReplayed(NamedTuple):
    """A record that was not published again, and why."""

    place: RecordPosition
    reason: str


@dataclass
class Replays:
    """What came of each; it grows while :func:`replay` runs."""

    replayed: list[Replayed] = field(default_factory=list)
    refused: list[NotReplayed] = field(default_factory=list)


async def replay_wanted(
    settings: Settings, wanted: DeadLetterFilter, done: Replays, *, force: bool = False
) -> None:
    """Replay those that are wanted, as :func:`replay` does; those that were replayed before are
    left out, unless one is named by its place. Rejected where no bad record stood there.
    """
    records = wanted.among(await bad_records(settings), settings.topic_prefix)
    require_found(wanted.place, records)
    if wanted.place is None:
        known = await known_replays(settings, records)
        records = [record for record in records if record.place not in known]
    if records:
        await replay(settings, records, done, force=force)


async def replay(
    settings: Settings, records: Sequence[BadRecord], done: Replays, *, force: bool = False
) -> None:
    """Publish the records again into the topics that they came from, placed by their keys; what
    came of each is added to ``done``.

    One that was replayed before is refused, and so is one that would be rejected again, that was
    overtaken or is there already (:func:`_require_use`); refused ones may be replayed later.
    ``force`` publishes also those, but none a second time. Where the broker does not acknowledge
    one (Retryable) that one stays claimed: it may be there.
    """

    async def ask() -> int:
        async with kafka_admin(settings) as admin:
            return await require_topics(admin, settings)

    validator = RecordValidator(settings, partitions := await when_it_answers(ask))
    async with connection(settings) as conn, EngineClient(settings) as client:
        async for record, kept in values_of(settings, records):
            try:
                await _require_new(conn, settings, record)
                value = await _whole(settings, record, kept)
                again = _again(record, value, partitions)
                message = _read(validator, settings, again, force)
                if message is not None and not force:
                    await _require_use(conn, record, message)
                done.replayed.append(await _publish(conn, client, record, again, message))
            except Rejected as error:
                done.refused.append(NotReplayed(record.place, str(error)))


async def _require_new(conn: Connection, settings: Settings, record: BadRecord) -> None:
    """Rejected for what is not ours to publish, and for what was published again before."""
    if record.place.topic not in Topics.of(settings).sources():
        raise Rejected(
            f"{record.place.topic} is no topic that workers here read (prefix "
            f"{settings.topic_prefix!r})"
        )
    before = (await replays(conn, [record.place])).get(record.place)
    if before is not None:
        raise Rejected(told(before))


def told(before: Replay) -> str:
    """When a record was replayed, and where it stands now."""
    where = f"as {before.to}" if before.to else "without an acknowledgement: it may be there"
    return f"was replayed at {before.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {where}"


async def _whole(settings: Settings, record: BadRecord, kept: bytes | None) -> bytes | None:
    """The value of the record; from its own place where the dead letter holds a part of it."""
    if record.key is not None and len(record.key) >= MAX_KEY_BYTES:
        raise Rejected(f"of its key only the first {MAX_KEY_BYTES} bytes are kept")
    if not record.truncated:
        return kept
    topic, partition, offset = record.place
    async with open_reader(settings, topic, from_beginning=False) as reader:
        found = await reader.read_at(partition, offset, settings.wait_s)
    value: bytes | None = None if found is None else found.value
    if kept is None or value is None or value[:MAX_VALUE_BYTES] != kept:
        raise Rejected(
            f"its value was cut to {MAX_VALUE_BYTES} bytes, and the record itself is not in "
            f"{topic} any more"
        )
    return value


def _again(record: BadRecord, value: bytes | None, partitions: int) -> Again:
    partition = 0 if record.key is None else partition_of(record.key, partitions)
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    return Again(record.place.topic, partition, record.place.offset, now_ms, record.key, value)


def _read(
    validator: RecordValidator, settings: Settings, again: Again, force: bool
) -> Change | None:
    """The message, by the rules as they are set here. Rejected for one that would be rejected
    again; None for it where it is forced.
    """
    topics = Topics.of(settings)
    try:
        if again.topic == topics.deployments:
            return validator.deployment(again)
        if again.topic == topics.commands:
            return validator.command(again)
        return validator.log_entry(again)
    except Rejected as error:
        if force:
            return None
        raise Rejected(f"would be rejected again: {error}") from error


async def _require_use(conn: Connection, record: BadRecord, message: Change) -> None:
    """Rejected for a message whose replay does nothing, or something that no one means now.

    A late execution is good: it counts where its time puts it. A deployment or command is a wish
    of its time: where the tool was changed since, it would undo that change.
    """
    if isinstance(message, Activation):
        raise Rejected("an activation: only the applier says which version is current")
    if isinstance(message, ExecutionEntry):
        if await executions_by_id(conn, [message.execution_id]):
            raise Rejected(f"the execution {message.execution_id} is recorded already")
        return
    if isinstance(message, Deployment):
        outcome = await outcome_of(conn, message.deployment_id)
        if outcome is not None and outcome.status != "refused":
            raise Rejected(
                f"the deployment {message.deployment_id} was sent again and applied: version "
                f"{outcome.version_number}"
            )
    elif (command := await rollback_by_id(conn, message.command_id)) is not None:
        raise Rejected(f"the command {message.command_id} was sent again and {command.status}")
    changed = await changed_at(conn, message.tool_name)
    if changed is not None and changed > record.first_rejected_at:
        raise Rejected(
            f"overtaken: {message.tool_name!r} was changed at {changed:%Y-%m-%d %H:%M:%S} UTC, "
            "after this was rejected"
        )


async def _publish(
    conn: Connection,
    client: EngineClient,
    record: BadRecord,
    again: Again,
    message: Change | None,
) -> Replayed:
    """Claim it, then publish it. Rejected where someone else claimed it meanwhile, or where the
    record is too large, which gives the claim back.
    """
    deployment_id, value = None, again.value
    if isinstance(message, Deployment):
        # The id's first outcome is `refused` and holds; the same wish, sent twice, stays one.
        deployment_id = uuid5(message.deployment_id, "replay")
        value = message.model_copy(update={"deployment_id": deployment_id}).to_bytes()
    if not await claim(conn, record.place):
        raise Rejected("is being replayed by someone else")
    try:
        partition, offset = await client.publish_again(again.topic, again.key, value)
    except Rejected:
        await give_back(conn, record.place)
        raise
    await published(conn, record.place, partition, offset)
    return Replayed(record.place, RecordPosition(again.topic, partition, offset), deployment_id)
