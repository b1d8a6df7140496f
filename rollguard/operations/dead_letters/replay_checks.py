"""Whether a bad record may be published again: each check raises Rejected, which says why not."""

from dataclasses import dataclass
from datetime import UTC, datetime

from db.executions.queries import executions_by_id
from db.executions.verdicts import verdict_is_recorded
from db.postgres.pool import Connection
from db.replays import Replay, changed_at, replays
from db.rollbacks.records import rollback_of
from db.versions.outcomes import outcome_of
from rollguard.operations.dead_letters.bad_records import BadRecord
from rollguard.value_texts import time_text, version_text
from schemas.dead_letter import MAX_KEY_BYTES
from schemas.deployment import Deployment
from schemas.errors import Rejected, Unverified
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.later_verdict import LaterVerdict
from schemas.rollback import RollbackCommand
from schemas.settings import Settings
from streams.partitions import partition_of
from streams.records import RecordValidator
from streams.topic_reader import open_reader
from streams.topics import Topics
from streams.unpacking.batches import Headers

ReplayedMessage = ExecutionEntry | Activation | LaterVerdict | Deployment | RollbackCommand


@dataclass
class RecordToReplay:
    """A bad record as a worker would read it if it were published again now.

    It has the fields that ``streams.records.Record`` asks for. ``offset`` is the old one, as
    the new one is not known yet; ``timestamp`` is now, in milliseconds. It has no headers,
    because a dead letter keeps none: if signatures are required, only executions can be replayed.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @classmethod
    def of(cls, record: BadRecord, value: bytes | None, partitions: int) -> "RecordToReplay":
        """Return the record with its whole value, on the partition of its key."""
        return cls(
            topic=record.position.topic,
            partition=0 if record.key is None else partition_of(record.key, partitions),
            offset=record.position.offset,
            timestamp=int(datetime.now(UTC).timestamp() * 1000),
            key=record.key,
            value=value,
        )


async def require_not_replayed(conn: Connection, settings: Settings, record: BadRecord) -> None:
    """Raise Rejected if the topic is not ours, or if the record was published again before."""
    topic, topics = record.position.topic, Topics.of(settings)
    if topic in topics.read_by("notifier"):
        raise Rejected(f"{topic} says what has happened: it was to be told, and is old news now")
    if topic not in topics.sources():
        raise Rejected(
            f"{topic} is no topic that workers here read (prefix {settings.topic_prefix!r})"
        )
    before = (await replays(conn, [record.position])).get(record.position)
    if before is not None:
        raise Rejected(replay_text(before))


def replay_text(before: Replay) -> str:
    """Say when a record was replayed, and which position it has now."""
    where = f"as {before.to}" if before.to else "without an acknowledgement: it may be there"
    return f"was replayed at {time_text(before.at)}, {where}"


async def whole_value(settings: Settings, record: BadRecord, kept: bytes | None) -> bytes | None:
    """Return the whole value of the record.

    If the dead letter keeps only a part of it, it is read from the record itself. Rejected if that
    is gone, or if the key is too long to be kept whole.
    """
    if record.key is not None and len(record.key) >= MAX_KEY_BYTES:
        raise Rejected(f"of its key only the first {MAX_KEY_BYTES} bytes are kept")
    if not record.truncated:
        return kept
    if kept is None:
        raise Rejected(f"nothing of it was kept: {record.error}")
    topic, partition, offset = record.position
    async with open_reader(settings, topic, from_beginning=False) as reader:
        found = await reader.read_at(partition, offset, settings.wait_s)
    value: bytes | None = None if found is None else found.value
    if value is None or value[: len(kept)] != kept:
        raise Rejected(
            f"its value was cut to {len(kept)} bytes, and the record itself is not in {topic} any "
            "more"
        )
    return value


def message_of(
    validator: RecordValidator, settings: Settings, record: RecordToReplay
) -> ReplayedMessage:
    """Return the message of the record. Rejected if workers would reject the record again."""
    topics = Topics.of(settings)
    if record.topic == topics.reports:
        raise Rejected("the report of an engine: the engine itself says it again")
    try:
        if record.topic == topics.deployments:
            return validator.deployment(record)
        if record.topic == topics.commands:
            return validator.command(record)
        entry = validator.log_entry(record)
    except Unverified as error:
        raise Rejected(
            f"must be signed, so whoever may say it must send it anew: {error}"
        ) from error
    except Rejected as error:
        raise Rejected(f"would be rejected again: {error}") from error
    assert entry is not None, "it has the partition of its key"
    return entry


async def require_effect(conn: Connection, record: BadRecord, message: ReplayedMessage) -> None:
    """Raise Rejected if the replay would do nothing, or something that nobody wants now.

    A late execution is welcome: it counts at the time that it says. A deployment or a command is a
    request of its time: if the tool was changed since, it would undo that change.
    """
    if isinstance(message, Activation):
        raise Rejected("an activation: only the applier says which version is current")
    if isinstance(message, ExecutionEntry):
        if await executions_by_id(conn, message.tool_name, [message.execution_id]):
            raise Rejected(f"the execution {message.execution_id} is recorded already")
        return
    if isinstance(message, LaterVerdict):
        if await verdict_is_recorded(conn, message.tool_name, message.verdict_id):
            raise Rejected(f"the verdict {message.verdict_id} is recorded already")
        return
    if isinstance(message, Deployment):
        await _require_not_deployed(conn, message)
    elif (command := await rollback_of(conn, message.key)) is not None:
        raise Rejected(f"the command {message.command_id} was sent again and {command.status}")
    changed = await changed_at(conn, message.tool_name)
    if changed is not None and changed > record.first_rejected_at:
        raise Rejected(
            f"overtaken: {message.tool_name!r} was changed at {time_text(changed)}, after this "
            "was rejected"
        )


async def _require_not_deployed(conn: Connection, message: Deployment) -> None:
    """Raise Rejected for a deployment that was sent again, and for an answer to a held one."""
    if message.is_answer:
        raise Rejected("a person's answer to a held deployment: give it anew")
    outcome = await outcome_of(conn, message.tool_name, message.deployment_id)
    if outcome is not None and outcome.status != "refused":
        version = version_text(outcome.version_number, outcome.version_id)
        done = "held" if outcome.status == "held" else f"applied: {version}"
        raise Rejected(f"the deployment {message.deployment_id} was sent again and {done}")
