"""The named blocks of SQL, the translation of errors, and details as JSON, without a database."""

import json
import re
from math import inf, nan
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from db.postgres.errors import translate
from db.postgres.migrate import migrations
from db.postgres.pool import to_jsonb
from db.postgres.sql import blocks
from schemas.errors import Misconfigured, Retryable

DB = Path(__file__).parents[3] / "db"
FILES = sorted(
    str(file.relative_to(DB)) for file in DB.rglob("*.sql") if file.parent.name != "migrations"
)


@pytest.mark.parametrize("file", FILES)
def test_each_block_is_one_statement_and_is_used(file: str) -> None:
    source = (DB / file.replace(".sql", ".py")).read_text("utf-8")
    used = set(re.findall(r'_SQL\["(\w+)"\]', source))
    assert blocks(file).keys() == used
    for sql in blocks(file).values():
        assert sql
        assert ";" not in sql


def test_text_before_the_first_heading_is_a_comment() -> None:
    names = ["limit_waits", "lock", "lock_until_commit", "unlock", "lock_versions"]
    assert list(blocks("postgres/locks.sql")) == names
    assert (
        blocks("postgres/locks.sql")["limit_waits"] == "select set_config('lock_timeout', $1, true)"
    )


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [int(name.partition("_")[0]) for name in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def _postgres_error(sqlstate: str, **fields: str) -> asyncpg.PostgresError:
    error = asyncpg.PostgresError("the text")
    for name, value in {"sqlstate": sqlstate, **fields}.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError("refused"), Retryable),
        (TimeoutError(), Retryable),
        (asyncpg.InterfaceError("connection is closed"), Retryable),
        (asyncpg.InterfaceError("pool is closing"), Retryable),
        (asyncpg.InterfaceError("connection has been released back to the pool"), Retryable),
        (asyncpg.InterfaceError("another operation is in progress"), type(None)),
        (asyncpg.InternalClientError("cannot switch to state 15"), Retryable),
        (asyncpg.DataError("invalid input for query argument"), type(None)),
        (asyncpg.InvalidCachedStatementError("cached plan"), Retryable),
        (_postgres_error("08006"), Retryable),
        (_postgres_error("40001"), Retryable),
        (_postgres_error("40P01"), Retryable),
        (_postgres_error("53300"), Retryable),
        (_postgres_error("55P03"), Retryable),
        (_postgres_error("57P01"), Retryable),
        (_postgres_error("57014"), Retryable),
        (_postgres_error("25006"), Retryable),
        (_postgres_error("42P01"), Misconfigured),
        (_postgres_error("42703"), Misconfigured),
        (_postgres_error("28P01"), Misconfigured),
        (_postgres_error("3D000"), Misconfigured),
        (_postgres_error("42501"), Misconfigured),
        (_postgres_error("42601"), type(None)),
        (_postgres_error("23505", constraint_name="rollbacks_pkey"), Retryable),
        (_postgres_error("23505", constraint_name="tool_executions_pkey"), Retryable),
        (_postgres_error("23505", constraint_name="tool_versions_one_current"), type(None)),
    ],
)
def test_errors_are_translated(error: Exception, expected: type) -> None:
    translated = translate(error)
    assert type(translated) is expected
    if isinstance(translated, Retryable):
        assert translated.part == "Postgres"
        assert str(translated).removeprefix("Postgres: ")


def test_all_details_become_json() -> None:
    details = {
        "a\0b": ["\0", "\ud800", ("x", 1)],
        "rates": [nan, inf, -inf, 0.5],
        "deep": {"id": UUID(int=1), "none": None, "yes": True},
    }
    assert json.loads(to_jsonb(details)) == {
        "a\u2400b": ["\u2400", "\ufffd", ["x", 1]],
        "rates": [None, None, None, 0.5],
        "deep": {"id": "00000000-0000-0000-0000-000000000001", "none": None, "yes": True},
    }
