"""The database: what is stored, once, and what it refuses. On a real Postgres."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from db.executions.recording import next_offset, record
from db.postgres import locks, migrate
from db.postgres.locks import tool_lock
from db.postgres.pool import Connection, Pool, acquire, connect, open_pool
from db.postgres.sql import blocks
from db.rollbacks.rollbacks import roll_back
from db.versions.tool_versions import (
    current_version,
    deploy,
    history,
    refuse,
    version,
)
from schemas.deployment import Deployment, DeploymentOutcome
from schemas.errors import Misconfigured, Retryable
from schemas.execution import ActivatedBy, Activation, Execution
from schemas.execution_entry import ExecutionEntry
from schemas.rollback import RollbackCommand, RollbackOutcome
from tests.support.postgres import PostgresServer

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
TOPIC = "tool-executions"
DB = Path(__file__).parents[3] / "db"


def deployment(code: str = "one", tool: str = "parser", **fields: Any) -> Deployment:
    given = {
        "deployment_id": uuid4(),
        "tool_name": tool,
        "code": code,
        "created_by": "human",
        "improvement_type": "bug_fix",
        "deployed_at": NOW,
    }
    return Deployment.model_validate(given | fields)


def command(tool: str = "parser", **fields: Any) -> RollbackCommand:
    given = {
        "command_id": uuid4(),
        "tool_name": tool,
        "tier": "manual",
        "reason": "manual",
        "issued_by": "someone",
        "issued_at": NOW + timedelta(hours=1),
    }
    return RollbackCommand.model_validate(given | fields)


def execution(tool: str = "parser", success: bool = True, **fields: Any) -> Execution:
    given = {
        "execution_id": uuid4(),
        "tool_name": tool,
        "success": success,
        "executed_at": NOW,
    }
    return Execution.model_validate(given | fields)


def activation(version_id: int, number: int, tool: str = "parser") -> Activation:
    return Activation(
        tool_name=tool,
        version_id=version_id,
        version_number=1,
        code_hash="0" * 64,
        activation=number,
        activated_at=NOW,
        activated_by=ActivatedBy(kind="deployment", id=uuid4()),
    )


async def deploy_all(conn: Connection, *codes: str, tool: str = "parser") -> list[int]:
    """Deploy each; the ids of the versions."""
    outcomes = [await deploy(conn, deployment(code, tool)) for code in codes]
    return [outcome.version_id or 0 for outcome in outcomes]


def run(**fields: Any) -> ExecutionEntry:
    """The same as the recorder reads it."""
    return ExecutionEntry.of(execution(**fields))


async def record_all(conn: Connection, *entries: Execution | Activation) -> int:
    start = await next_offset(conn, TOPIC, 0)
    end = start + len(entries)
    read = [
        ExecutionEntry.of(entry) if isinstance(entry, Execution) else entry for entry in entries
    ]
    return await record(conn, TOPIC, 0, start, end, list(enumerate(read, start)))


async def metrics(conn: Connection, version_id: int) -> tuple[int, int, float | None]:
    row = await conn.fetchrow(
        "select total_executions, successful_executions, success_rate from tool_versions"
        " where version_id = $1",
        version_id,
    )
    assert row is not None
    return tuple(row)


class TestMigrations:
    async def test_two_at_once_migrate_once(self, postgres_server: PostgresServer) -> None:
        with postgres_server.database("template1") as dsn:
            conns = [await connect(dsn) for _ in range(3)]
            with pytest.raises(Misconfigured, match="run `rollguard migrate`"):
                await migrate.require_schema(conns[0])
            applied = await asyncio.gather(*map(migrate.migrate, conns))
            assert sorted(applied) == [[], [], list(migrate.migrations())]
            await migrate.require_schema(conns[0])
            for conn in conns:
                await conn.close()

    async def test_a_changed_one_is_said(self, conn: Connection) -> None:
        await conn.execute("update schema_migrations set checksum = 'x'")
        for check in (migrate.migrate, migrate.require_schema):
            with pytest.raises(Misconfigured, match="0001_initial is not the one"):
                await check(conn)

    async def test_a_newer_schema_is_said(self, conn: Connection) -> None:
        await conn.execute("insert into schema_migrations (name, checksum) values ('9999_x', '')")
        for check in (migrate.migrate, migrate.require_schema):
            with pytest.raises(Misconfigured, match="newer than this program"):
                await check(conn)

    async def test_a_failing_one_leaves_nothing(
        self, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad = {**migrate.migrations(), "0099_bad": "create table half (); select 1 / 0"}
        monkeypatch.setattr(migrate, "migrations", lambda: bad)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate.migrate(conn)
        assert await conn.fetchval("select to_regclass('half')") is None
        with pytest.raises(Misconfigured, match="not migrated"):
            await migrate.require_schema(conn)
        bad["0099_bad"] = "create table half ()"
        assert await migrate.migrate(conn) == ["0099_bad"]


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


class TestDeploy:
    async def test_a_first_and_a_second_version(self, conn: Connection) -> None:
        first = deployment("one", improvement_reason="why")
        outcome = await deploy(conn, first)
        assert outcome == DeploymentOutcome(
            deployment_id=first.deployment_id,
            tool_name="parser",
            status="created",
            version_id=outcome.version_id,
            version_number=1,
            activation=1,
            is_breaking_change=False,
            breaking_changes=[],
            applied_at=outcome.applied_at,
        )
        second = deployment("two", deployed_at=NOW + timedelta(1), created_by="autonomous")
        outcome2 = await deploy(conn, second, ["a gone", "b\0"], True)
        assert (outcome2.version_number, outcome2.activation) == (2, 2)
        assert (outcome2.is_breaking_change, outcome2.breaking_changes) == (
            True,
            ["a gone", "b\u2400"],
        )
        newest, oldest = await history(conn, "parser", 10)
        assert newest == await version(conn, "parser", newest.version_id)
        current = await current_version(conn, "parser")
        assert current is not None
        assert newest.model_dump().items() >= current.model_dump().items()
        assert newest.previous_version_id == oldest.version_id == outcome.version_id
        assert newest.activated_by == ActivatedBy(kind="deployment", id=second.deployment_id)
        assert newest.activated_at == newest.created_at == second.deployed_at
        assert (newest.is_current, oldest.is_current) == (True, False)
        assert (newest.deployment_count, newest.total_executions) == (1, 0)
        assert newest.success_rate is None
        assert (oldest.improvement_reason, oldest.code) == ("why", "one")
        assert newest.as_activation().activation == 2
        assert b'"activation":2' in newest.to_bytes()

    async def test_the_same_code_again(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        outcome = await deploy(conn, deployment("one"))
        assert (outcome.status, outcome.version_id, outcome.version_number, outcome.activation) == (
            "unchanged",
            first,
            1,
            1,
        )
        (only,) = await history(conn, "parser", 10)
        assert only.deployment_count == 2

    async def test_older_code_again_is_a_new_version(self, conn: Connection) -> None:
        first, _, third = await deploy_all(conn, "one", "two", "one")
        assert first != third
        assert [row.version_number for row in await history(conn, "parser", 2)] == [3, 2]

    async def test_a_replay_gets_the_first_outcome(self, conn: Connection) -> None:
        first = deployment("one")
        outcome = await deploy(conn, first, ["a gone"])
        await deploy_all(conn, "two")
        assert await deploy(conn, first) == outcome
        other = deployment("other", deployment_id=first.deployment_id)
        assert await deploy(conn, other) == outcome
        assert await refuse(conn, first.deployment_id, "parser", "late") == outcome
        assert len(await history(conn, "parser", 10)) == 2

    async def test_a_refusal_is_kept_too(self, conn: Connection) -> None:
        bad = deployment("one")
        outcome = await refuse(conn, bad.deployment_id, "a\0b" * 200, "code: NUL \0 \ud800")
        assert outcome.status == "refused"
        assert outcome.refusal == "code: NUL \u2400 \ufffd"
        assert await refuse(conn, bad.deployment_id, "parser", "again") == outcome
        assert await deploy(conn, bad) == outcome
        assert await history(conn, "parser", 10) == []

    async def test_what_is_not_there(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        assert await current_version(conn, "other") is None
        assert await version(conn, "other", first) is None
        for version_id in (0, first + 1, 2**31, 2**70):
            assert await version(conn, "parser", version_id) is None

    async def test_twenty_at_once(self, pool: Pool) -> None:
        async def one(number: int) -> DeploymentOutcome:
            async with pool.acquire() as conn:
                return await deploy(conn, deployment(f"code {number}"))

        outcomes = await asyncio.gather(*map(one, range(20)))
        assert sorted(outcome.version_number or 0 for outcome in outcomes) == list(range(1, 21))
        async with pool.acquire() as conn:
            versions = await history(conn, "parser", 100)
        assert [row.version_number for row in versions] == list(range(20, 0, -1))
        assert [row.is_current for row in versions] == [True] + [False] * 19
        assert [row.activation for row in versions] == list(range(20, 0, -1))
        assert [row.previous_version_id for row in versions[:-1]] == [
            row.version_id for row in versions[1:]
        ]

    async def test_one_deployment_many_times_at_once(self, pool: Pool) -> None:
        same = deployment("one")

        async def one(tool: str) -> DeploymentOutcome:
            async with pool.acquire() as conn:
                while True:
                    try:
                        return await deploy(conn, same.model_copy(update={"tool_name": tool}))
                    except Retryable:  # the id was just taken, under another tool's name
                        continue

        outcomes = await asyncio.gather(*map(one, ["a", "a", "b", "c", "b", "a"]))
        assert len({outcome.to_bytes() for outcome in outcomes}) == 1
        assert await pool.fetchval("select count(*) from tool_versions") == 1


class TestToolLock:
    async def test_holds_others_off(
        self, pool: Pool, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(locks, "LOCK_TIMEOUT_MS", 50)
        async with tool_lock(conn, "parser"), pool.acquire() as other:
            await deploy(conn, deployment("one"))  # the holder itself may
            with pytest.raises(Retryable, match="lock timeout"):
                await deploy(other, deployment("two"))
            with pytest.raises(Retryable, match="lock timeout"):
                async with tool_lock(other, "parser"):
                    pass
            await deploy(other, deployment("one", "another tool"))
            assert await other.fetchval("show lock_timeout") == "0"
        async with tool_lock(conn, "parser"), pool.acquire() as other:
            assert await current_version(other, "parser")

    async def test_is_given_back(self, pool: Pool, conn: Connection) -> None:
        async def fail(how: BaseException) -> None:
            async with tool_lock(conn, "parser"):
                raise how

        with pytest.raises(ZeroDivisionError):
            await fail(ZeroDivisionError())
        task = asyncio.create_task(self._hold(pool))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with pool.acquire() as other:
            await asyncio.wait_for(deploy(other, deployment("one")), 5)
        held = await conn.fetchval("select count(*) from pg_locks where locktype = 'advisory'")
        assert held == 0

    async def _hold(self, pool: Pool) -> None:
        async with pool.acquire() as conn, tool_lock(conn, "parser"):
            await asyncio.sleep(60)

    async def test_cancelled_while_waiting(self, pool: Pool, conn: Connection) -> None:
        async with pool.acquire() as other:
            async with tool_lock(conn, "parser"):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(self._hold_with(other), 0.1)
            assert not other.is_closed()
        await deploy(conn, deployment("one"))
        held = await conn.fetchval("select count(*) from pg_locks where locktype = 'advisory'")
        assert held == 0

    async def _hold_with(self, conn: Connection) -> None:
        async with tool_lock(conn, "parser"):
            raise AssertionError("must not get it")

    async def test_a_lost_connection_is_the_bodys_error(self, pool: Pool, conn: Connection) -> None:
        async def lose(other: Connection) -> None:
            async with tool_lock(other, "parser"):
                pid = await other.fetchval("select pg_backend_pid()")
                await conn.execute("select pg_terminate_backend($1)", pid)
                await deploy(other, deployment("one"))

        async with acquire(pool) as other:
            with pytest.raises(Retryable):
                await lose(other)
            with pytest.raises(Retryable):
                await current_version(other, "parser")
        async with acquire(pool) as other:
            assert await current_version(other, "parser") is None
        await deploy(conn, deployment("one"))


class TestRollBack:
    async def test_to_the_previous(self, conn: Connection) -> None:
        first, second = await deploy_all(conn, "one", "two")
        order = command(
            from_version_id=second,
            from_activation=2,
            tier="immediate",
            reason="signature_change",
            details={"recent": ["\0", "\ud800"], "success_rate": float("nan")},
        )
        outcome = await roll_back(conn, order)
        assert outcome == RollbackOutcome(
            command_id=order.command_id,
            tool_name="parser",
            status="applied",
            from_version_id=second,
            to_version_id=first,
            to_version_number=1,
            reason="signature_change",
            tier="immediate",
            applied_at=outcome.applied_at,
        )
        current = await version(conn, "parser", first)
        assert current is not None
        assert (current.is_current, current.activation, current.deployment_count) == (True, 3, 1)
        assert current.activated_at == order.issued_at
        assert current.activated_by == ActivatedBy(kind="rollback", id=order.command_id)
        row = await conn.fetchrow("select * from rollbacks")
        assert row is not None
        assert row["details"] == {"recent": ["\u2400", "\ufffd"], "success_rate": None}
        assert (row["issued_by"], row["issued_at"]) == ("someone", order.issued_at)

        assert await deploy(conn, deployment("three")) is not None
        assert (await roll_back(conn, order)).to_bytes() == outcome.to_bytes()
        newest = (await history(conn, "parser", 1))[0]
        assert (newest.is_current, newest.activation) == (True, 4)
        assert newest.previous_version_id == first

    async def test_to_a_named_one_forward_and_back(self, conn: Connection) -> None:
        first, _, third = await deploy_all(conn, "one", "two", "three")
        assert (await roll_back(conn, command(to_version_id=first))).status == "applied"
        outcome = await roll_back(conn, command(to_version_id=third))
        assert (outcome.from_version_id, outcome.to_version_id) == (first, third)
        current = await current_version(conn, "parser")
        assert current is not None
        assert (current.version_id, current.activation) == (third, 5)

    @pytest.mark.parametrize(
        ("named", "rejection"),
        [
            ({"to_version_id": "alien"}, "unknown_version"),
            ({"to_version_id": 2**31 - 1}, "unknown_version"),
            ({"from_version_id": "alien", "to_version_id": "second"}, "unknown_version"),
            ({"from_version_id": "first", "to_version_id": "alien"}, "unknown_version"),
            ({"from_version_id": "first"}, "not_current"),
            ({"from_version_id": "second", "from_activation": 1}, "not_current"),
            ({"from_activation": 3}, "not_current"),
            ({"from_version_id": "first", "to_version_id": "second"}, "not_current"),
            ({"to_version_id": "second"}, "already_current"),
            ({"from_version_id": "second", "to_version_id": "second"}, "already_current"),
        ],
    )
    async def test_rejections(
        self, conn: Connection, named: dict[str, Any], rejection: str
    ) -> None:
        first, second = await deploy_all(conn, "one", "two")
        (alien,) = await deploy_all(conn, "one", tool="other")
        ids = {"first": first, "second": second, "alien": alien}
        order = command(**{key: ids.get(value, value) for key, value in named.items()})
        outcome = await roll_back(conn, order)
        assert (outcome.status, outcome.rejection) == ("rejected", rejection)
        assert outcome.from_version_id == order.from_version_id
        assert (outcome.to_version_id, outcome.to_version_number) == (None, None)
        row = await conn.fetchrow("select * from rollbacks")
        assert row is not None
        assert row["to_version_id"] == order.to_version_id
        await roll_back(conn, command(to_version_id=first))
        assert await roll_back(conn, order) == outcome
        current = await current_version(conn, "parser")
        assert current is not None
        assert (current.version_id, current.activation) == (first, 3)

    async def test_nothing_to_go_back_to(self, conn: Connection) -> None:
        assert (await roll_back(conn, command())).rejection == "no_previous_version"
        assert (await roll_back(conn, command(from_activation=1))).rejection == "not_current"
        unknown = await roll_back(conn, command(from_version_id=1))
        assert unknown.rejection == "unknown_version"
        await deploy_all(conn, "one")
        assert (await roll_back(conn, command())).rejection == "no_previous_version"
        await deploy_all(conn, "two")
        assert (await roll_back(conn, command())).status == "applied"
        assert (await roll_back(conn, command())).rejection == "no_previous_version"

    async def test_with_deployments_at_once(self, pool: Pool) -> None:
        """Whatever the order: one current version, activations counted without gaps."""

        async def one(number: int) -> bool:
            async with pool.acquire() as conn:
                if number % 2:
                    return (await deploy(conn, deployment(f"code {number}"))).status == "created"
                return (await roll_back(conn, command())).status == "applied"

        changed = sum(await asyncio.gather(*map(one, range(40))))
        versions = await pool.fetch("select is_current, activation from tool_versions")
        assert [row["is_current"] for row in versions].count(True) == 1
        assert max(row["activation"] for row in versions) == changed
        assert next(row["activation"] for row in versions if row["is_current"]) == changed

    async def test_one_command_many_times_at_once(self, pool: Pool, conn: Connection) -> None:
        await deploy_all(conn, "one", "two", "three")
        order = command()

        async def one(_: int) -> RollbackOutcome:
            async with pool.acquire() as other:
                return await roll_back(other, order)

        outcomes = await asyncio.gather(*map(one, range(6)))
        assert len({outcome.to_bytes() for outcome in outcomes}) == 1
        assert outcomes[0].to_version_number == 2

    async def test_while_executions_are_counted(self, pool: Pool, conn: Connection) -> None:
        """Both lock versions in the same order: no deadlock."""
        first, second = await deploy_all(conn, "one", "two")

        async def count() -> None:
            async with pool.acquire() as recorder:
                for _ in range(100):
                    of_each = [execution(version_id=first), execution(version_id=second)]
                    await record_all(recorder, *of_each)

        counting = asyncio.create_task(count())
        while not counting.done():
            current = await current_version(conn, "parser")
            assert current is not None
            target = first if current.version_id == second else second
            assert (await roll_back(conn, command(to_version_id=target))).status == "applied"
        await counting
        assert (await metrics(conn, first))[0] == (await metrics(conn, second))[0] == 100


class TestRecord:
    async def test_rows_and_metrics(self, conn: Connection) -> None:
        first, second = await deploy_all(conn, "one", "two")
        failed = execution(
            version_id=second,
            success=False,
            error="pkg.TypeError: no\0",
            duration_ms=1.5,
            session_id="s",
            caller="c",
            input_hash="i",
        )
        named = execution(version_id=second, success=False, error="x", error_type="a.KeyError")
        good = [execution(version_id=second) for _ in range(2)]
        assert await record_all(conn, failed, named, *good, execution(version_id=first)) == 5
        assert await metrics(conn, first) == (1, 1, 1.0)
        assert await metrics(conn, second) == (4, 2, 0.5)
        row = await conn.fetchrow(
            "select * from tool_executions where execution_id = $1", failed.execution_id
        )
        assert row is not None
        assert dict(row) == {
            "execution_id": failed.execution_id,
            "tool_name": "parser",
            "version_id": second,
            "success": False,
            "error": "pkg.TypeError: no\u2400",
            "error_type": "TypeError",
            "executed_at": NOW,
            "duration_ms": 1.5,
            "session_id": "s",
            "caller": "c",
            "input_hash": "i",
            "log_offset": 0,
        }
        error_types = await conn.fetch("select distinct error_type from tool_executions")
        assert {row["error_type"] for row in error_types} == {"TypeError", "a.KeyError", None}
        await record_all(conn, execution(version_id=second))
        assert await metrics(conn, second) == (5, 3, 0.6)

    async def test_each_execution_counts_once(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        failed = execution(version_id=first, success=False)
        again = failed.model_copy(update={"success": True})
        assert await record_all(conn, failed, again, execution(version_id=first)) == 2
        assert await metrics(conn, first) == (2, 1, 0.5)
        assert await record_all(conn, again, again) == 0
        assert await metrics(conn, first) == (2, 1, 0.5)
        assert await conn.fetchval("select count(*) from tool_executions where not success") == 1

    async def test_what_was_read_is_skipped(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        entries = [(offset, run(version_id=first)) for offset in range(10, 20, 2)]
        assert await next_offset(conn, TOPIC, 0) == 0
        assert await record(conn, TOPIC, 0, 10, 15, entries[:3]) == 3
        assert await next_offset(conn, TOPIC, 0) == 15
        assert await record(conn, TOPIC, 0, 10, 15, entries[:3]) == 0
        others = [(offset, run(version_id=first)) for offset in range(10, 20)]
        assert await record(conn, TOPIC, 0, 10, 20, others) == 5  # 15 … 19
        assert await next_offset(conn, TOPIC, 0) == 20
        assert await record(conn, TOPIC, 0, 5, 12, others[:2]) == 0
        assert await next_offset(conn, TOPIC, 0) == 20
        assert await record(conn, TOPIC, 0, 20, 25, []) == 0  # nothing but bad records
        assert await next_offset(conn, TOPIC, 0) == 25
        assert await next_offset(conn, TOPIC, 1) == await next_offset(conn, "other", 0) == 0
        assert (await metrics(conn, first))[0] == 8
        with pytest.raises(ValueError, match="not in"):
            await record(conn, TOPIC, 0, 25, 26, [(26, others[0][1])])

    async def test_a_concurrent_mover(self, pool: Pool, conn: Connection) -> None:
        """Of two with the same batch one records; the other is told to try again."""
        await record_all(conn, execution())
        entries = [(1, run()), (2, run())]

        async def one() -> int | Retryable:
            async with pool.acquire() as other:
                try:
                    return await record(other, TOPIC, 0, 1, 3, entries)
                except Retryable as error:
                    return error

        transaction = conn.transaction()
        await transaction.start()
        assert await record(conn, TOPIC, 0, 1, 3, entries) == 2
        waiting = asyncio.create_task(one())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await transaction.commit()
        result = await waiting
        assert isinstance(result, Retryable)
        assert "another recorder" in str(result)
        assert await one() == 0
        assert await conn.fetchval("select count(*) from tool_executions") == 3

    async def test_the_first_batch_of_a_partition_twice_at_once(self, pool: Pool) -> None:
        entries = [(offset, run()) for offset in range(50)]

        async def one(_: int) -> int:
            async with pool.acquire() as conn:
                try:
                    return await record(conn, TOPIC, 0, 0, 50, entries)
                except Retryable:
                    return 0

        assert sum(await asyncio.gather(*map(one, range(6)))) == 50

    async def test_attribution_by_place(self, conn: Connection) -> None:
        first, second = await deploy_all(conn, "one", "two")
        before, on_first, on_second, late, other = (execution() for _ in range(5))
        other = execution("other")
        explicit = execution(version_id=first)
        await record_all(
            conn,
            before,
            activation(first, 1),
            on_first,
            activation(second, 2),
            activation(first, 1),  # published again
            on_second,
            explicit,
            other,
        )
        await record_all(conn, late)
        await record_all(conn, activation(first, 1))
        later = execution()
        await record_all(conn, later, activation(first, 3))
        last = execution()
        await record_all(conn, last)
        rows = await conn.fetch("select execution_id, version_id from tool_executions")
        assert {row["execution_id"]: row["version_id"] for row in rows} == {
            before.execution_id: None,
            on_first.execution_id: first,
            on_second.execution_id: second,
            explicit.execution_id: first,
            other.execution_id: None,
            late.execution_id: second,
            later.execution_id: second,
            last.execution_id: first,
        }
        assert (await metrics(conn, first))[0] == 3
        assert (await metrics(conn, second))[0] == 3
        row = await conn.fetchrow("select * from recorder_current")
        assert row is not None
        assert tuple(row) == ("parser", first, 3)

    async def test_unknown_and_alien_versions_are_recorded_only(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        (alien,) = await deploy_all(conn, "one", tool="other")
        unknown = execution(version_id=2**31 - 1)
        assert await record_all(conn, unknown, execution(version_id=alien)) == 2
        for version_id in (first, alien):
            assert await metrics(conn, version_id) == (0, 0, None)

    async def test_a_failure_undoes_all(self, conn: Connection) -> None:
        """Nothing of a batch is kept, the offset least of all, and the connection goes on."""
        (first,) = await deploy_all(conn, "one")
        await conn.execute("alter table tool_executions add check (session_id <> 'bad')")
        bad = execution(version_id=first, session_id="bad")
        with pytest.raises(asyncpg.CheckViolationError):
            await record_all(conn, activation(first, 1), execution(version_id=first), bad)
        assert await next_offset(conn, TOPIC, 0) == 0
        assert await conn.fetchval("select count(*) from recorder_current") == 0
        assert await record_all(conn, execution(version_id=first)) == 1
        assert await metrics(conn, first) == (1, 1, 1.0)

    async def test_is_fast(self, conn: Connection) -> None:
        versions = [await deploy_all(conn, "one", tool=f"tool {i}") for i in range(50)]
        batches = [
            [
                execution(f"tool {i % 50}", version_id=versions[i % 50][0], error="E: x" * 10)
                for i in range(2_000)
            ]
            for _ in range(15)
        ]
        await record_all(conn, *batches[0])
        started = time.perf_counter()
        for batch in batches[1:]:
            assert await record_all(conn, *batch) == 2_000
        rate = 28_000 / (time.perf_counter() - started)
        print(f"{rate:,.0f} executions/s")
        assert rate > 5_000  # 20,000 and more on an idle machine


class TestErrors:
    async def test_no_server(self, tmp_path: Path) -> None:
        dsn = f"postgresql://u:hush@/x?host={tmp_path}"
        for opening in (open_pool(dsn), connect(dsn)):
            with pytest.raises(Retryable) as caught:
                await opening
            assert "hush" not in str(caught.value)
            assert caught.value.part == "Postgres"

    @pytest.mark.parametrize("dsn", ["mysql://u:hush@h/x", "postgresql://u:hu/sh@h:hush/x", "hush"])
    async def test_no_address(self, dsn: str) -> None:
        with pytest.raises(Misconfigured, match="ROLLGUARD_POSTGRES_DSN") as caught:
            await open_pool(dsn)
        assert "hush" not in str(caught.value)
        assert caught.value.__suppress_context__

    async def test_no_such_database(self, postgres_server: PostgresServer) -> None:
        with pytest.raises(Misconfigured, match="does not exist"):
            await open_pool(postgres_server.dsn_of("nowhere"))

    async def test_none_free(self, database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("db.postgres.pool.CONNECT_TIMEOUT_S", 0.05)
        pool = await open_pool(database_dsn, size=1)
        async with acquire(pool):
            with pytest.raises(Retryable):
                await acquire(pool).__aenter__()
        await pool.close()
        with pytest.raises(Retryable, match="closed"):
            await acquire(pool).__aenter__()

    async def test_not_migrated(self, postgres_server: PostgresServer) -> None:
        with postgres_server.database("template1") as dsn:
            conn = await connect(dsn)
            for call in (
                current_version(conn, "x"),
                deploy(conn, deployment()),
                roll_back(conn, command()),
                next_offset(conn, TOPIC, 0),
            ):
                with pytest.raises(Misconfigured, match="run `rollguard migrate`"):
                    await call
            await conn.close()

    async def test_a_closed_pool_and_a_lost_connection(self, database_dsn: str) -> None:
        conn = await connect(database_dsn)
        await conn.close()
        with pytest.raises(Retryable):
            await current_version(conn, "x")
        assert isinstance(await _outcome_of_termination(database_dsn), Retryable)


async def _outcome_of_termination(dsn: str) -> BaseException | None:
    """What a call raises whose connection an administrator ends while it waits."""
    waiting, holder = await connect(dsn), await connect(dsn)
    pid = await waiting.fetchval("select pg_backend_pid()")
    async with tool_lock(holder, "parser"):
        call = asyncio.create_task(deploy(waiting, deployment()))
        await asyncio.sleep(0.1)
        await holder.execute("select pg_terminate_backend($1)", pid)
        (error,) = await asyncio.gather(call, return_exceptions=True)
    await holder.close()
    await waiting.close()
    return error if isinstance(error, BaseException) else None
