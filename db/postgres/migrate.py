"""Migrations of the schema: numbered files, each of which is applied once, in one transaction."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection, Pool, acquire, open_pool
from db.postgres.sql import blocks
from schemas.errors import Misconfigured

_SQL: Final = blocks("postgres/migrate.sql")


@cache
def migrations() -> dict[str, str]:
    """Return the migrations of this program in their order: name (``0001_initial``) to SQL."""
    found = (files("db") / "migrations").iterdir()
    scripts = {file.name.removesuffix(".sql"): file for file in found if file.name[-4:] == ".sql"}
    return {name: scripts[name].read_text("utf-8") for name in sorted(scripts)}


async def migrate(conn: Connection) -> list[str]:
    """Apply the missing migrations and return their names, the oldest first.

    Each migration runs in one transaction. If several programs start at once, one migrates and the
    others wait. Raises Misconfigured if an applied migration was changed or is not known here.
    """
    applied_now = []
    with postgres_errors():
        async with _alone(conn):
            await conn.execute(_SQL["create_table"])
            for name in _pending(await _applied(conn)):
                async with conn.transaction():
                    await conn.execute(migrations()[name])
                    await conn.execute(_SQL["remember"], name, _checksum(migrations()[name]))
                applied_now.append(name)
    return applied_now


async def require_schema(conn: Connection) -> None:
    """Raise Misconfigured, with what to do, unless the schema is exactly this program's."""
    with postgres_errors():
        if _pending(await _applied(conn)):
            raise Misconfigured("the schema is not migrated: run `rollguard migrate`")


async def open_migrated_pool(dsn: str) -> Pool:
    """Open a pool on a database that has the schema of this program.

    Raises what ``db.postgres.pool.open_pool`` and ``require_schema`` raise; nothing stays
    open then.
    """
    pool = await open_pool(dsn)
    try:
        async with acquire(pool) as conn:
            await require_schema(conn)
    except BaseException:
        pool.terminate()
        raise
    return pool


@asynccontextmanager
async def _alone(conn: Connection) -> AsyncIterator[None]:
    await conn.execute(_SQL["lock"])
    try:
        yield
    finally:
        if not conn.is_closed():
            await conn.execute(_SQL["unlock"])


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
        if checksum != _checksum(migrations()[name]):
            raise Misconfigured(f"migration {name} is not the one that was applied")
    return [name for name in migrations() if name not in applied]


def _checksum(sql: str) -> str:
    return sha256(sql.replace("\r\n", "\n").encode()).hexdigest()
