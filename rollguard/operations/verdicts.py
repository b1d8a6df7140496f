"""Publishing of a later verdict by the command line."""

from uuid import UUID

from db.executions.queries import executions_by_id
from db.postgres.pool import Connection
from rollguard.client import EngineClient
from rollguard.operations.connection import connection
from schemas.errors import Rejected
from schemas.later_verdict import LaterVerdict
from schemas.settings import Settings


async def version_of(where: Settings | Connection, tool: str, execution_id: UUID) -> int:
    """Return the version that an execution was of. Rejected if Postgres does not know it."""
    async with connection(where) as conn:
        found = await executions_by_id(conn, tool, [execution_id])
    if not found or found[0].version_id is None:
        raise Rejected(f"the execution {execution_id} of {tool} is not recorded: name its version")
    return found[0].version_id


async def judge(
    settings: Settings,
    tool: str,
    execution_id: UUID,
    version_id: int,
    *,
    bad: bool,
    by: str | None,
    why: str | None,
) -> LaterVerdict:
    """Publish a verdict, and return it."""
    async with EngineClient(settings) as client:
        return await client.judge(tool, execution_id, version_id, bad=bad, by=by, why=why)
