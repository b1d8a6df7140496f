"""`tool-versions` and the activations once more, from what Postgres says: for topics that are new,
with another prefix or more partitions, or that were lost.
"""

from db.postgres.locks import tool_lock
from db.versions.reading import current_version, tools
from rollguard.client import EngineClient
from rollguard.operations.reads import connection
from schemas.settings import Settings
from streams.topics import Topics


async def republish_versions(settings: Settings) -> int:
    """Publish the current version of every tool, its activation in front; how many tools.

    Each under its tool's lock, so that no applier publishes another one in between. Harmless where
    they are there already: of two records with the same activation neither says more.
    """
    topics = Topics.of(settings)
    published = 0
    async with connection(settings) as conn, EngineClient(settings) as client:
        for tool in await tools(conn):
            async with tool_lock(conn, tool):
                version = await current_version(conn, tool)
                if version is None:
                    continue
                key = tool.encode()
                activation = version.as_activation().to_bytes()
                await client.publish_again(topics.executions, key, activation)
                await client.publish_again(topics.versions, key, version.to_bytes())
            published += 1
    return published
