"""The settings of the created topics, as the broker has them."""

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from rollguard.operations.setup import create_missing_topics
from schemas.settings import load_settings
from streams.admin import kafka_admin
from streams.topics import Topics

DAY_MS = 24 * 60 * 60 * 1000


@pytest.mark.kafka
async def test_retention_and_compaction(apache_kafka: str, topic_prefix: str) -> None:
    settings = load_settings(
        kafka_brokers=apache_kafka,
        topic_prefix=topic_prefix,
        partitions=1,
        retention_days=3,
        dead_letter_retention_days=90,
    )
    await create_missing_topics(settings)
    topics = Topics.of(settings)
    configs: dict[str, dict[str, str]] = {}
    async with kafka_admin(settings) as admin:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics.all()]
        for response in await admin.describe_configs(resources):
            for _error, _message, _type, name, entries in response.resources:
                configs[name] = {entry[0]: entry[1] for entry in entries}
    for name in topics.all():
        compacted = name in (topics.versions, topics.changelog)
        assert configs[name]["cleanup.policy"] == ("compact" if compacted else "delete")
        assert configs[name]["message.timestamp.type"] == "LogAppendTime"
        if not compacted:
            days = 90 if name == topics.dead_letters else 3
            assert configs[name]["retention.ms"] == str(days * DAY_MS)
