"""The applier under policy `guarded` for tests, and what leads to its rollbacks."""

from typing import Any

from db.postgres.pool import Connection, Pool
from db.versions.reading import current_version
from schemas.rollback import RollbackCommand, RollbackOutcome, automatic_command_id
from schemas.settings import Settings
from tests.support.inputs.stored import command, execution, record_all
from tests.support.systems.applier import Applier

GUARDED: dict[str, Any] = {
    "partitions": 1,
    "policy": "guarded",
    "tools": {"seed": {"policy": "seed"}},
    "cooldown_s": 0,
}


class Guarded(Applier):
    """The applier under policy `guarded`, with some settings changed."""

    def __init__(self, pool: Pool, **changes: Any) -> None:
        super().__init__(pool, settings=Settings(**(GUARDED | changes)))

    async def condemn(self, conn: Connection, *tools: str, **fields: Any) -> RollbackOutcome:
        """Roll the current versions back as the detector would; return the last outcome."""
        await self.roll_back(*[await automatic_command(conn, tool, **fields) for tool in tools])
        return self.broker.rolled_back()[-1]


async def automatic_command(
    conn: Connection, tool: str = "parser", **fields: Any
) -> RollbackCommand:
    """Return a command as the detector issues it for the current version of the tool."""
    current = await current_version(conn, tool)
    assert current is not None
    given = {
        "command_id": automatic_command_id(tool, current.version_id, current.activation, 1),
        "from_version_id": current.version_id,
        "from_activation": current.activation,
        "tier": "fast",
        "reason": "complete_failure",
        "details": {"executions": 5, "failures": 5},
    }
    return command(tool, **(given | fields))


async def record_executions(
    conn: Connection, version_id: int, count: int, failures: int = 0
) -> None:
    """Record executions of a version; the first ones fail."""
    await record_all(
        conn,
        *(execution(version_id=version_id, success=number >= failures) for number in range(count)),
    )
