"""The schema, brought up to date: numbered files, each applied once, in one transaction."""

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
    """The migrations of this program in order: name (``0001_initial``) to SQL."""
    found = (files("db") / "migrations").iterdir()
    scripts = {file.name.removesuffix(".sql"): file for file in found if file.name[-4:] == ".sql"}
    return {name: scripts[name].read_text("utf-8") for name in sorted(scripts)}


async def migrate(conn: Connection) -> list[str]:
    """Apply what is missing and return its names, oldest first; nothing missing, nothing done.

    Each migration runs in one transaction. Of several that start at once, one migrates and the
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
    """A pool on a database with this program's schema; raises what
    :func:`db.postgres.pool.open_pool` and :func:`require_schema` raise, and nothing is open
    then.
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
    """Name and checksum of what was applied. Undefined table means: nothing ever was."""
    return {row["name"]: row["checksum"] for row in await conn.fetch(_SQL["applied"])}


def _pending(applied: Mapping[str, str]) -> list[str]:
    """What is not applied yet. Raises Misconfigured if both do not belong together."""
    for name, checksum in sorted(applied.items()):
        if name not in migrations():
            raise Misconfigured(f"the schema is newer than this program (migration {name})")
        if checksum != _checksum(migrations()[name]):
            raise Misconfigured(f"migration {name} is not the one that was applied")
    return [name for name in migrations() if name not in applied]


def _checksum(sql: str) -> str:
    return sha256(sql.replace("\r\n", "\n").encode()).hexdigest()
