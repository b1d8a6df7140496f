"""Publishing versions again from Postgres.

It is for topics that were lost, or that are new, with another prefix or more partitions; and for
the time when signatures are switched on (``rollguard keys adopt``).
"""

from db.postgres.locks import LOCK_TIMEOUT_MS, tool_lock
from db.versions.reading import current_version, tools
from rollguard.client import EngineClient
from rollguard.operations.connection import changing_connection, connection
from schemas.settings import Settings


async def republish_versions(settings: Settings, *, adopts: bool = False) -> int:
    """Publish the current version of every tool to `tool-versions`, and return how many.

    Its activation is published before it, to the log. Each tool is locked meanwhile, so that no
    applier publishes another version in between. It is harmless if the topics hold the versions
    already: a second record with the same activation changes nothing. They are signed if that is
    wanted, which needs a key of the applier. With ``adopts`` the activation takes the place of any
    other one in the log of the tool, so that it mends what a forged activation has done. Raises
    Locked if somebody else holds a tool for ``LOCK_TIMEOUT_MS``.
    """
    published = 0
    async with (
        connection(settings) as conn,
        changing_connection(settings) as holder,
        EngineClient(settings) as client,
    ):
        for tool in await tools(conn):
            async with tool_lock(holder, tool, wait_ms=LOCK_TIMEOUT_MS):
                version = await current_version(conn, tool)
                if version is None:
                    continue
                await client.publish_version(version, adopts=adopts)
            published += 1
    return published
