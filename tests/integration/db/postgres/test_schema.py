"""What the schema itself enforces."""

from pathlib import Path

import asyncpg
import pytest

from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.versions.reading import history
from tests.support.inputs.stored import deploy_all

DB = Path(__file__).parents[4] / "db"


class TestSchema:
    async def test_every_block_prepares(self, conn: Connection) -> None:
        for file in DB.rglob("*.sql"):
            if file.parent.name != "migrations":
                for sql in blocks(str(file.relative_to(DB))).values():
                    await conn.prepare(sql)

    async def test_never_two_current(self, conn: Connection) -> None:
        await deploy_all(conn, "one", "two")
        with pytest.raises(asyncpg.UniqueViolationError):
            await conn.execute("update tool_versions set is_current = true")

    @pytest.mark.parametrize(
        "change",
        [
            "update tool_versions set is_current = false",
            "delete from tool_versions where is_current",
            "update tool_versions set tool_name = 'other' where is_current",
            "insert into tool_versions (tool_name, version_number, code, code_hash)"
            " values ('new', 1, '', '')",
        ],
    )
    async def test_never_none_current(self, conn: Connection, change: str) -> None:
        await deploy_all(conn, "one", "two")
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="no current"):
            await conn.execute(change)

    async def test_the_seeds_columns_alone_can_be_inserted(self, conn: Connection) -> None:
        await conn.execute(
            "insert into tool_versions (tool_name, version_number, code, code_hash, created_by,"
            " is_current, improvement_type) values ('old', 1, 'x', repeat('0', 64), 'human', true,"
            " 'initial')"
        )
        assert (await history(conn, "old", 1))[0].activation == 1
        await conn.execute("delete from tool_versions")
