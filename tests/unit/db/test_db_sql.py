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
from schemas.errors import Locked, Misconfigured, Retryable

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
    found = blocks("postgres/locks.sql")
    assert next(iter(found)) == "limit_waits"
    only = "select pg_backend_pid(), set_config('idle_in_transaction_session_timeout', '0', true)"
    assert found["may_be_idle"] == only


@pytest.mark.parametrize("file", sorted(DB.rglob("*.sql")), ids=lambda file: file.name)
def test_sql_is_ascii(file: Path) -> None:
    """A database may have any encoding when it is migrated, and so may the tools of an operator."""
    file.read_bytes().decode("ascii")


def test_what_a_session_keeps_is_not_used() -> None:
    """A pooler gives each transaction another session: no settings, locks and names outlive it."""
    for file in DB.rglob("*.sql"):
        sql = re.sub(r"--.*|'[^']*'", "", file.read_text("utf-8")).lower()
        assert "advisory" not in sql, (file, "anybody who may connect can take such a lock")
        assert not re.search(r"\b(listen|unlisten|notify|prepare|deallocate|discard)\b", sql), file
        assert not re.search(r"\btemp(orary)?\b|with hold", sql), file
        for setting in re.findall(r"set_config\((.*?)\)", sql):
            assert setting.endswith("true"), (file, setting)


def test_all_types_of_arguments_are_learned() -> None:
    """Others are asked for by asyncpg outside a transaction (``db.postgres.pool``)."""
    known = {"text"} | set(re.findall(r"null::(\w+)\[\]", blocks("postgres/pool.sql")["types"]))
    used = {
        name for file in DB.rglob("*.sql") for name in re.findall(r"::(\w+)\[\]", file.read_text())
    }
    assert used <= known


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
        (_postgres_error("08P01"), Retryable),
        (_postgres_error("26000"), Misconfigured),
        (_postgres_error("42P05"), Misconfigured),
        (_postgres_error("40001"), Retryable),
        (_postgres_error("40P01"), Retryable),
        (_postgres_error("53300"), Retryable),
        (_postgres_error("55P03"), Locked),
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
