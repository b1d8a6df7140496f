"""The checks of the topics: that they exist, with equal numbers of partitions, rightly set.

They find topics that somebody else made or changed, before wrong decisions come from them.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.errors import Misconfigured
from schemas.settings import Settings
from streams.topics import Topics

GROW_PAGE: Final = "docs/how-to/add-partitions.md"
"""The page that says what to do if the topics differ in their number of partitions."""

_DEFAULTS: Final[Mapping[str, str]] = {
    "cleanup.policy": "delete",
    "message.timestamp.type": "CreateTime",
    "max.message.bytes": "1048588",
    "min.compaction.lag.ms": "0",
}
"""The settings on which the product rests, with Kafka's values for a topic that has none."""


class SettingsFound(NamedTuple):
    """The result of the check of the topics' settings."""

    wrong: list[str]
    """A sentence for each topic with wrong settings, with the command that mends it."""
    unread: list[str]
    """The topics whose settings Kafka does not show to this user."""


async def require_topics(admin: AIOKafkaAdminClient, settings: Settings) -> int:
    """Return how many partitions each topic has.

    Raises Misconfigured if a topic is missing, or if the topics differ in their number.
    """
    counts = await partition_counts(admin, settings)
    if (problem := missing_topics(counts, settings)) is not None:
        raise Misconfigured(problem)
    return partitions_of(counts)


def missing_topics(counts: Mapping[str, int], settings: Settings) -> str | None:
    """Return a sentence that names the missing topics; None if all are there."""
    missing = [name for name in Topics.of(settings).all() if name not in counts]
    if not missing:
        return None
    return (
        f"missing topics: {', '.join(missing)}: run `rollguard topics` "
        f"(prefix {settings.topic_prefix!r})"
    )


def partitions_of(counts: Mapping[str, int], expected: int | None = None) -> int:
    """Return the number of partitions that all topics have. Raises Misconfigured if they differ."""
    numbers = set(counts.values()) | ({expected} if expected is not None else set())
    if len(numbers) != 1:
        listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        set_to = f", ROLLGUARD_PARTITIONS {expected}" if expected is not None else ""
        raise Misconfigured(
            f"all topics must have the same number of partitions: {listed}{set_to}: run "
            f"`rollguard topics --grow` with ROLLGUARD_PARTITIONS={max(numbers)} ({GROW_PAGE})"
        )
    return numbers.pop()


async def partition_counts(admin: AIOKafkaAdminClient, settings: Settings) -> dict[str, int]:
    """Return the number of partitions of each topic that exists."""
    existing = set(await admin.list_topics()) & set(Topics.of(settings).all())
    described = await admin.describe_topics(sorted(existing)) if existing else []
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


async def partitions_of_foreign(admin: AIOKafkaAdminClient, topic: str) -> int | None:
    """Return how many partitions a topic has that is not ours; None if it does not exist."""
    if topic not in await admin.list_topics():  # asking for a single topic may create it
        return None
    (described,) = await admin.describe_topics([topic])
    return len(described["partitions"])


async def check_settings(admin: AIOKafkaAdminClient, settings: Settings) -> SettingsFound:
    """Compare the settings of the topics that exist with those that the product rests on."""
    topics = Topics.of(settings)
    # All settings are asked for: the embedded broker answers no question about single ones.
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics.all()]
    found = SettingsFound([], [])
    for response in await admin.describe_configs(resources):
        for code, _message, _kind, name, entries in response.resources:
            if code == _UNKNOWN_TOPIC:
                continue
            if code:
                found.unread.append(name)
                continue
            has = {**_DEFAULTS, **{entry[0]: entry[1] for entry in entries if entry[1]}}
            expected = topics.config_of(name, settings)
            wrong = _wrong_settings(has, expected, settings)
            if wrong:
                found.wrong.append(_sentence(name, has, wrong, settings))
    return found


_UNKNOWN_TOPIC: Final = 3


def _wrong_settings(
    has: Mapping[str, str], expected: Mapping[str, str], settings: Settings
) -> dict[str, str]:
    """Return the settings that are wrong, with their right values.

    A topic may allow larger records, and may be compacted later or earlier than by default, as
    long as rows and versions are republished before.
    """
    wrong = {
        name: expected[name]
        for name in ("cleanup.policy", "message.timestamp.type")
        if has[name] != expected[name]
    }
    least = {"max.message.bytes": int(expected["max.message.bytes"])}
    if expected["cleanup.policy"] == "compact":
        ours = int(expected["min.compaction.lag.ms"])
        least["min.compaction.lag.ms"] = min(ours, int(2_000 * settings.refresh_s))
    wrong.update(
        (name, expected[name]) for name, minimum in least.items() if int(has[name]) < minimum
    )
    return wrong


def _sentence(
    topic: str, has: Mapping[str, str], wrong: Mapping[str, str], settings: Settings
) -> str:
    """Say what is wrong, and give the command that mends it."""
    is_and_must = "; ".join(
        f"{name} is {has[name]}, and must be {'at least ' if value.isdecimal() else ''}{value}"
        for name, value in wrong.items()
    )
    config = ",".join(f"{name}={value}" for name, value in wrong.items())
    return (
        f"topic {topic}: {is_and_must}: run `kafka-configs.sh --bootstrap-server "
        f"{','.join(settings.kafka_brokers)} --alter --entity-type topics --entity-name {topic} "
        f"--add-config {config}`"
    )
