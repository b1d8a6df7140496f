"""For how long the broker keeps the records of topics."""

from collections.abc import Collection
from datetime import timedelta

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

_SETTING = "retention.ms"


async def retention_of(
    admin: AIOKafkaAdminClient, topics: Collection[str]
) -> dict[str, timedelta | None]:
    """Return for how long each topic keeps its records; None for one that removes none by time.

    Topics that do not exist, or whose settings Kafka does not show to this user, are left out.
    """
    # All settings are asked for: the embedded broker answers no question about single ones.
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    found: dict[str, timedelta | None] = {}
    for response in await admin.describe_configs(resources):
        for code, _message, _kind, name, entries in response.resources:
            values = [int(entry[1]) for entry in entries if entry[0] == _SETTING and entry[1]]
            if not code and values:
                found[name] = timedelta(milliseconds=values[0]) if values[0] >= 0 else None
    return found
