"""Verbs that wait in vain for a lock of Postgres say who holds it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
import pytest

from db.postgres.pool import connect
from rollguard import ToolVersionManager
from rollguard.operations.pins import pin, unpin
from rollguard.operations.prune import Pruned, prune
from rollguard.operations.stops import freeze, reject, resume, unfreeze
from rollguard.operations.versions import VersionName
from schemas.errors import Locked
from schemas.settings import Settings, load_settings
from tests.support.inputs.stored import deploy_all, execution, record_all
from tests.support.waiting import until

TOOL = "parser"
V1 = VersionName(number=1)


async def _recount(settings: Settings) -> object:
    async with ToolVersionManager(settings=settings) as manager:
        return await manager.update_version_metrics(TOOL)


async def _prune(settings: Settings) -> None:
    await prune(settings, Pruned(datetime.now(UTC)))


VERBS: dict[str, Callable[[Settings], Awaitable[object]]] = {
    "pin": lambda settings: pin(settings, TOOL, "release", "ann", None),
    "unpin": lambda settings: unpin(settings, TOOL, "ann"),
    "freeze": lambda settings: freeze(settings, TOOL, "release", "ann", None),
    "unfreeze": lambda settings: unfreeze(settings, TOOL, "ann"),
    "resume": lambda settings: resume(settings, TOOL, "ann"),
    "reject": lambda settings: reject(settings, TOOL, V1, "it is wrong", "ann"),
    "prune": _prune,
    "recount": _recount,
}


@pytest.fixture
async def settings(database_dsn: str) -> AsyncIterator[Settings]:
    """Yield the settings of a database in which psql holds the tool and its version."""
    conn = await connect(database_dsn)
    [version_id] = await deploy_all(conn, "one")
    await record_all(conn, execution(version_id=version_id))
    await conn.execute("insert into tool_locks values ($1, 'change') on conflict do nothing", TOOL)
    await conn.close()
    psql = await asyncpg.connect(database_dsn, server_settings={"application_name": "psql"})
    transaction = psql.transaction()
    await transaction.start()
    await psql.execute("select from tool_locks where tool_name = $1 for update", TOOL)
    await psql.execute("select from tool_versions for update")
    yield load_settings(postgres_dsn=database_dsn)
    await transaction.rollback()
    await psql.close()


@pytest.mark.parametrize("verb", VERBS)
async def test_who_holds_the_lock(
    settings: Settings, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (
        *("db.stops.changing", "rollguard.operations.connection"),
        "rollguard.management.tool_version_manager",
    ):
        monkeypatch.setattr(f"{module}.LOCK_TIMEOUT_MS", 400)

    async def is_named() -> bool:  # it is seen only while the verb waits
        with pytest.raises(Locked) as locked:
            await VERBS[verb](settings)
        return "locked by 'psql' (process " in str(locked.value)

    await until(is_named)
