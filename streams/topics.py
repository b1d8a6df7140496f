"""The topics: their names, their creation, and the check of their numbers of partitions.

No other module writes the name of a topic.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from schemas.errors import Misconfigured, Retryable
from schemas.message import MAX_REQUEST_BYTES
from schemas.settings import Settings

ROLES: Final = ("detector", "applier", "recorder")
TABLE: Final = "tool-windows"
_POLL_S: Final = 0.05
_DAY_MS: Final = 24 * 60 * 60 * 1000
_MINUTE_MS: Final = 60 * 1000
_VERSIONS: Final = {
    "cleanup.policy": "compact",
    # A worker that was suspended and continued may write an old record after the newer one.
    # Compaction keeps both for a day. Before it removes the newer one, that is published again
    # (``agents.applier.republish_versions``) and becomes the last.
    "min.compaction.lag.ms": str(_DAY_MS),
}
_CHANGELOG: Final = {
    "cleanup.policy": "compact",
    # For the same reason, but shorter, because a worker that starts reads the whole topic.
    "min.compaction.lag.ms": str(15 * _MINUTE_MS),
    "max.compaction.lag.ms": str(30 * _MINUTE_MS),
    "segment.ms": str(5 * _MINUTE_MS),
    "min.cleanable.dirty.ratio": "0.1",
}


def group_of(settings: Settings, role: str) -> str:
    """Return the consumer group of a role, which is also the id of its Faust app."""
    return f"{settings.topic_prefix}rollguard-{role}"


@dataclass(frozen=True)
class Topics:
    """The names of all topics, prefix included."""

    executions: str
    deployments: str
    deployment_outcomes: str
    versions: str
    commands: str
    outcomes: str
    dead_letters: str
    changelog: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the names with the settings' prefix."""
        prefix = settings.topic_prefix
        return cls(
            executions=f"{prefix}tool-executions",
            deployments=f"{prefix}tool-deployments",
            deployment_outcomes=f"{prefix}deployment-outcomes",
            versions=f"{prefix}tool-versions",
            commands=f"{prefix}rollback-commands",
            outcomes=f"{prefix}rollback-outcomes",
            dead_letters=f"{prefix}dead-letters",
            changelog=f"{group_of(settings, 'detector')}-{TABLE}-changelog",
        )

    def all(self) -> list[str]:
        """Return all names."""
        return list(vars(self).values())

    def read_by(self, role: str) -> tuple[str, ...]:
        """Return the topics that the workers of a role read."""
        return (self.deployments, self.commands) if role == "applier" else (self.executions,)

    def sources(self) -> tuple[str, ...]:
        """Return the topics that workers read: records of these may become dead letters."""
        return (self.executions, self.deployments, self.commands)

    def config_of(self, topic: str, settings: Settings) -> dict[str, str]:
        """Return the topic's settings on the broker."""
        config = {
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(MAX_REQUEST_BYTES),
        }
        if topic == self.versions:
            return config | _VERSIONS
        if topic == self.changelog:
            return config | _CHANGELOG
        is_dead_letters = topic == self.dead_letters
        days = settings.dead_letter_retention_days if is_dead_letters else settings.retention_days
        return config | {"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS)}


async def create_topics(admin: AIOKafkaAdminClient, settings: Settings) -> list[str]:
    """Create the topics that do not exist, and return their names.

    Returns when the broker lists them, so that a worker can start. Existing topics stay unchanged.
    Raises Misconfigured if their number of partitions differs from the settings', Retryable if the
    broker does not list them within ``settings.wait_s`` seconds.
    """
    topics = Topics.of(settings)
    existing = await _partition_counts(admin, topics.all())
    missing = [
        NewTopic(
            name,
            settings.partitions,
            settings.replication_factor,
            topic_configs=topics.config_of(name, settings),
        )
        for name in topics.all()
        if name not in existing
    ]
    if missing:
        response = await admin.create_topics(missing)
        for name, code, *message in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise Misconfigured(f"cannot create topic {name}: {error.__name__} {message}")
    partitions_of(
        existing | {topic.name: settings.partitions for topic in missing}, settings.partitions
    )
    created = [topic.name for topic in missing]
    await _until_listed(admin, created, settings)
    return created


async def _until_listed(admin: AIOKafkaAdminClient, names: list[str], settings: Settings) -> None:
    """Return when the broker lists the topics, which may be a while after they were created."""
    expected = dict.fromkeys(names, settings.partitions)
    try:
        async with asyncio.timeout(settings.wait_s):
            while await _partition_counts(admin, names) != expected:
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise Retryable("Kafka", f"does not list the new topics: {', '.join(names)}") from None


async def require_topics(admin: AIOKafkaAdminClient, settings: Settings) -> int:
    """Return how many partitions each topic has.

    Raises Misconfigured if a topic is missing, or if the topics differ in their number.
    """
    topics = Topics.of(settings).all()
    existing = await _partition_counts(admin, topics)
    missing = [name for name in topics if name not in existing]
    if missing:
        raise Misconfigured(
            f"missing topics: {', '.join(missing)}: run `rollguard topics` "
            f"(prefix {settings.topic_prefix!r})"
        )
    return partitions_of(existing)


def partitions_of(counts: dict[str, int], expected: int | None = None) -> int:
    """Return the number of partitions that all topics have. Raises Misconfigured if they differ."""
    numbers = set(counts.values()) | ({expected} if expected is not None else set())
    if len(numbers) != 1:
        listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        set_to = f", ROLLGUARD_PARTITIONS {expected}" if expected is not None else ""
        raise Misconfigured(f"all topics must have the same number of partitions: {listed}{set_to}")
    return numbers.pop()


async def _partition_counts(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    existing = set(await admin.list_topics()) & set(names)
    described = await admin.describe_topics(sorted(existing)) if existing else []
    return {topic["topic"]: len(topic["partitions"]) for topic in described}
