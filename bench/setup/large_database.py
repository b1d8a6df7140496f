"""A database as it is after a month of much work, made in a minute or two."""

from pathlib import Path
from typing import Final

import asyncpg

from db.postgres.sql import blocks_in

_FILE: Final = Path(__file__).with_suffix(".sql")
_SIZES: Final = {"versions": ("tools",), "executions": ("tools", "executions")}
"""The parameters of the blocks that have any."""


async def fill_database(dsn: str, tools: int, executions: int) -> None:
    """Fill the tables of a new database, as the workers would have filled them.

    Indexes of executions are built afterwards, which takes a fraction of the time.
    """
    sizes = {"tools": tools, "executions": executions}
    connection = await asyncpg.connect(dsn)
    try:
        for name, block in blocks_in(_FILE.read_text("utf-8"), _FILE.name).items():
            given = [sizes[size] for size in _SIZES.get(name, ())]
            if name == "executions":
                await _fill_executions(connection, block, given)
            else:
                await connection.execute(block, *given)
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()


async def _fill_executions(connection: asyncpg.Connection, block: str, given: list[int]) -> None:
    table = "tool_executions"
    indexes = await connection.fetch("select * from pg_indexes where tablename = $1", table)
    others = [each for each in indexes if each["indexname"] != f"{table}_pkey"]
    await connection.execute(f"alter table {table} drop constraint {table}_pkey")
    for each in others:
        await connection.execute(f"drop index {each['indexname']}")
    await connection.execute(block, *given)
    await connection.execute(f"alter table {table} add primary key (execution_id, tool_name)")
    for each in others:
        await connection.execute(each["indexdef"])
