"""Migrations of the schema: numbered files, each of which is applied once."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.locks import LOCK_TIMEOUT_MS
from db.postgres.pool import Connection, Pool, Pooling, PoolWatch, acquire, open_pool
from db.postgres.sql import blocks
from schemas.errors import Misconfigured

_SQL: Final = blocks("postgres/migrate.sql")

_FORMER_CHECKSUMS: Final = {
    "0001_initial": "a21dfed52035f1dcd669f20085ac62a3f074ce6e44be0e8125782fb8eabf32d4",
}
"""The checksums of migrations of which a comment was changed after they had been applied."""


@cache
def migrations() -> dict[str, str]:
    """Return the migrations of this program in their order: name (``0001_initial``) to SQL."""
    found = (files("db") / "migrations").iterdir()
    scripts = {file.name.removesuffix(".sql"): file for file in found if file.name[-4:] == ".sql"}
    return {name: scripts[name].read_text("utf-8") for name in sorted(scripts)}


async def migrate(conn: Connection) -> list[str]:
    """Apply the missing migrations and return their names, the oldest first.

    It is one transaction: all of them or none. If several programs start at once, one migrates and
    the others wait. Raises Locked if somebody uses a table that must be changed for longer than
    ``LOCK_TIMEOUT_MS``. Raises Misconfigured if an applied migration was changed or is not known
    here.
    """
    with postgres_errors():
        async with conn.transaction(isolation="read_committed"):
            await _create_table(conn)
            await conn.execute(_SQL["lock"])
            await conn.execute(_SQL["limit_waits"], str(LOCK_TIMEOUT_MS))
            pending = _pending(await _applied(conn))
            for name in pending:
                await conn.execute(migrations()[name])
                await conn.execute(_SQL["check_now"])
                await conn.execute(_SQL["check_at_the_end"])
                await conn.execute(_SQL["remember"], name, _checksum(migrations()[name]))
    return pending


async def require_schema(conn: Connection) -> None:
    """Raise Misconfigured, with what to do, unless the schema is exactly this program's."""
    with postgres_errors():
        if _pending(await _applied(conn)):
            raise Misconfigured("the schema is not migrated: run `rollguard migrate`")


async def open_migrated_pool(
    dsn: str, pooling: Pooling = "auto", watch: PoolWatch | None = None
) -> Pool:
    """Open a pool on a database that has the schema of this program.

    Raises what ``db.postgres.pool.open_pool`` and ``require_schema`` raise; nothing stays
    open then.
    """
    pool = await open_pool(dsn, pooling=pooling, watch=watch)
    try:
        async with acquire(pool) as conn:
            await require_schema(conn)
    except BaseException:
        pool.terminate()
        raise
    return pool


async def _create_table(conn: Connection) -> None:
    """Create the table of migrations, unless it is there.

    If another program creates it at the same time, wait for that one, and try again.
    """
    while True:
        try:
            async with conn.transaction():
                await conn.execute(_SQL["create_table"])
                return
        except (asyncpg.UniqueViolationError, asyncpg.DuplicateTableError):
            continue


async def _applied(conn: Connection) -> dict[str, str]:
    """Return name and checksum of the applied migrations.

    The table is undefined if none was ever applied.
    """
    return {row["name"]: row["checksum"] for row in await conn.fetch(_SQL["applied"])}


def _pending(applied: Mapping[str, str]) -> list[str]:
    """Return the names of the migrations that are not applied yet.

    Raises Misconfigured if those that are applied do not belong to this program.
    """
    for name, checksum in sorted(applied.items()):
        if name not in migrations():
            raise Misconfigured(f"the schema is newer than this program (migration {name})")
        if checksum not in (_checksum(migrations()[name]), _FORMER_CHECKSUMS.get(name)):
            raise Misconfigured(f"migration {name} is not the one that was applied")
    return [name for name in migrations() if name not in applied]


def _checksum(sql: str) -> str:
    return sha256(sql.replace("\r\n", "\n").encode()).hexdigest()
