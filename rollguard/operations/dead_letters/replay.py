"""Publishing bad records again after their cause was removed: each at most once.

A record is claimed in Postgres before it is published. So no record is published a second time,
even if two people replay at once, or if a replay is killed in between and then repeated. (Kafka's
producer itself sends a record again if an acknowledgement is lost. That is harmless, because the
ids in the record are the same.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from db.postgres.pool import Connection
from db.replays import RecordPosition, claim, give_back, published
from rollguard.client import EngineClient
from rollguard.operations.connection import connection
from rollguard.operations.dead_letters.bad_records import BadRecord, DeadLetterFilter
from rollguard.operations.dead_letters.dead_letters import (
    bad_records,
    known_replays,
    require_found,
    values_of,
)
from rollguard.operations.dead_letters.replay_checks import (
    RecordToReplay,
    ReplayedMessage,
    message_of,
    require_effect,
    require_not_replayed,
    whole_value,
)
from schemas.deployment import Deployment
from schemas.errors import Rejected
from schemas.settings import Settings
from signatures import signatures_of
from streams.admin import kafka_admin
from streams.broker_topics.checks import require_topics
from streams.records import RecordValidator
from streams.retries import when_it_answers


class Replayed(NamedTuple):
    """A record that was published again, and its new position ``to``.

    ``deployment_id`` is the new id of a deployment: the outcome of the old id is `refused`, and
    stays so. None for any other message.
    """

    position: RecordPosition
    to: RecordPosition
    deployment_id: UUID | None


class NotReplayed(NamedTuple):
    """A record that was not published again, and why."""

    position: RecordPosition
    reason: str


@dataclass
class Replays:
    """The result for each record; it grows while ``replay`` runs."""

    replayed: list[Replayed] = field(default_factory=list)
    refused: list[NotReplayed] = field(default_factory=list)
    unpublished: int = 0
    """How many bad records between them have no dead letter, and cannot be replayed."""

    def data(self) -> dict[str, Any]:
        """Return them as JSON has them."""
        return {
            "replayed": [
                {
                    "id": str(each.position),
                    "to": str(each.to),
                    "deployment_id": None
                    if each.deployment_id is None
                    else str(each.deployment_id),
                }
                for each in self.replayed
            ],
            "refused": [{"id": str(each.position), "reason": each.reason} for each in self.refused],
            "unpublished": self.unpublished,
        }


class ReplayPart(NamedTuple):
    """A part of the bad records that match: ``limit`` of them, after this dead letter."""

    limit: int
    after: RecordPosition | None = None


async def replay_matching(
    settings: Settings,
    wanted: DeadLetterFilter,
    done: Replays,
    *,
    force: bool = False,
    part: ReplayPart | None = None,
) -> RecordPosition | None:
    """Replay the bad records that match, or a ``part`` of them, as ``replay`` does.

    Records that were replayed before are left out, unless one is named by its position. Missing if
    no bad record has that position. Returns the dead letter after which the next part begins; None
    if there is none.
    """
    records = wanted.matching(await bad_records(settings), settings.topic_prefix)
    require_found(wanted.position, records)
    following = None
    if wanted.position is None:
        if part is None or part.after is None:
            done.unpublished = sum(record.unpublished for record in records)
        known = await known_replays(settings, records)
        records = [record for record in records if record.position not in known]
    if part is not None:
        records, following = _part_of(records, part)
    if records:
        await replay(settings, records, done, force=force)
    return following


def _part_of(
    records: Sequence[BadRecord], part: ReplayPart
) -> tuple[list[BadRecord], RecordPosition | None]:
    """Return a part of the records in the order of their dead letters, and where the next begins.

    So records with the same key keep the order in which they were rejected.
    """
    rest = sorted(
        (each for each in records if part.after is None or each.dead_letter > part.after),
        key=lambda each: each.dead_letter,
    )
    found = rest[: part.limit]
    return found, found[-1].dead_letter if len(rest) > len(found) else None


async def replay(
    settings: Settings, records: Sequence[BadRecord], done: Replays, *, force: bool = False
) -> None:
    """Publish the records again to the topics that they came from, partitioned by their keys.

    The result for each is added to ``done``. A record is refused if it was replayed before, if it
    would be rejected again, or if its replay has no use (``require_effect``). A refused record
    may be replayed later. ``force`` skips the last two checks, not the first: no record is
    published a second time. If the broker does not acknowledge a record, Retryable is raised and
    the record stays claimed, because it may be in the topic.
    """
    partitions = await when_it_answers(lambda: _partitions(settings))
    validator = RecordValidator(settings, partitions, signatures_of(settings))
    async with connection(settings) as conn, EngineClient(settings) as client:
        async for record, kept in values_of(settings, records):
            try:
                await require_not_replayed(conn, settings, record)
                value = await whole_value(settings, record, kept)
                again = RecordToReplay.of(record, value, partitions)
                message = _readable(validator, settings, again, force)
                if message is not None and not force:
                    await require_effect(conn, record, message)
                done.replayed.append(await _publish(conn, client, record, again, message))
            except Rejected as error:
                done.refused.append(NotReplayed(record.position, str(error)))


async def _partitions(settings: Settings) -> int:
    async with kafka_admin(settings) as admin:
        return await require_topics(admin, settings)


def _readable(
    validator: RecordValidator, settings: Settings, again: RecordToReplay, force: bool
) -> ReplayedMessage | None:
    """Return the message; if it would be rejected again, raise Rejected, or None with ``force``."""
    try:
        return message_of(validator, settings, again)
    except Rejected:
        if force:
            return None
        raise


async def _publish(
    conn: Connection,
    client: EngineClient,
    record: BadRecord,
    again: RecordToReplay,
    message: ReplayedMessage | None,
) -> Replayed:
    """Claim the record, then publish it.

    Rejected if someone else claimed it meanwhile, or if the record is too large; then the claim is
    given back.
    """
    deployment_id, value = None, again.value
    if isinstance(message, Deployment):
        # The outcome of the old id is `refused` and final. The new id is derived from the old one,
        # so that the same request, sent twice, stays one.
        deployment_id = uuid5(message.deployment_id, "replay")
        value = message.model_copy(update={"deployment_id": deployment_id}).to_bytes()
    if not await claim(conn, record.position):
        raise Rejected("is being replayed by someone else")
    try:
        partition, offset = await client.publish_again(again.topic, again.key, value)
    except Rejected:
        await give_back(conn, record.position)
        raise
    await published(conn, record.position, partition, offset)
    to = RecordPosition(again.topic, partition, offset)
    return Replayed(record.position, to, deployment_id)
