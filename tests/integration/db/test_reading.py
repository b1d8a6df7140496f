"""What is read of executions and rollbacks: which, in which order, and unharmed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.executions.queries import executions_by_id, newest_executions
from db.postgres.pool import Connection, connect
from db.rollbacks.records import commanded, rollback_of, rollbacks
from db.versions.metrics import recount
from db.versions.reading import current_version, history, version
from schemas.deployment import AcceptedBreak
from schemas.errors import Misconfigured, Retryable
from schemas.execution import Execution
from schemas.failures.error_class import is_signature_error, label_of
from schemas.rollback import RollbackOutcome
from tests.support.inputs.stored import (
    NOW,
    activation,
    command,
    deploy,
    deploy_all,
    deployment,
    execution,
    record_all,
    roll_back,
)
from tests.support.servers.postgres import PostgresServer

STRANGE = [
    'it\'s "quoted" `x` $1 %s {} \\ ; -- /*',
    "🎉 👩‍👩‍👧 🇨🇭",
    "one\ttab",
    "数据解析器 парсер محلل 파서 ตัวแยก é e\u0301",
    "\u202eright to left\u202c\ufeff\u200b \x01\x1b[31m",
    " ",
]


@pytest.fixture
async def conn(database_dsn: str) -> AsyncIterator[Connection]:
    conn = await connect(database_dsn)
    yield conn
    await conn.close()


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


async def test_when_each_version_was_current(conn: Connection) -> None:
    """Any moment since the first deployment lies in exactly one of these times."""
    one, two = await deploy_all(conn, "1", "2")
    await deploy_all(conn, "9", tool="other")
    by_rule = command(from_version_id=two, from_activation=2, issued_at=at(7))
    assert (await roll_back(conn, by_rule)).status == "applied"
    (three,) = await deploy_all(conn, "3")
    found = {each.version_id: each.activations for each in await history(conn, "parser", 10)}
    assert {key: [each.activation for each in times] for key, times in found.items()} == {
        one: [1, 3],
        two: [2],
        three: [4],
    }
    times = sorted((each for times in found.values() for each in times), key=lambda t: t.activation)
    assert [each.ended_at for each in times] == [*(each.began_at for each in times[1:]), None]
    assert [each.began_at for each in times] == sorted(each.began_at for each in times)
    again = times[2]
    assert (again.activated_by_kind, again.activated_by_id) == ("rollback", by_rule.command_id)
    assert (again.activated_by_name, again.reason) == (by_rule.issued_by, by_rule.reason)
    assert again.activated_at == at(7)
    assert times[0].activated_by_name in ("human", "autonomous")


class TestExecutions:
    async def test_the_newest_first_ties_by_place(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        times = (5, 1, 5, 3, 5)
        given = [execution(version_id=first, executed_at=at(second)) for second in times]
        await record_all(conn, *given)
        found = await newest_executions(conn, "parser", first, 10)
        assert [each.log_offset for each in found] == [4, 2, 0, 3, 1]
        assert [each.execution_id for each in found] == [
            given[place].execution_id for place in (4, 2, 0, 3, 1)
        ]
        assert await newest_executions(conn, "parser", first, 2) == found[:2]
        by_id = await executions_by_id(conn, "parser", [each.execution_id for each in given])
        assert by_id == found

    async def test_without_a_place_is_the_oldest_of_its_time(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        given = [execution(version_id=first, executed_at=at(second)) for second in (2, 2, 1)]
        await record_all(conn, *given)
        await conn.execute("update tool_executions set log_offset = null where log_offset = 1")
        found = await newest_executions(conn, "parser", first, 10)
        assert [each.log_offset for each in found] == [0, None, 2]
        ids = [each.execution_id for each in found]
        assert await executions_by_id(conn, "parser", ids) == found

    async def test_both_ends_of_the_time_count(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        await record_all(
            conn, *(execution(version_id=first, executed_at=at(second)) for second in range(6))
        )

        async def seconds(since: int | None, until: int | None, limit: int = 10) -> list[int]:
            found = await newest_executions(
                conn,
                "parser",
                first,
                limit,
                since=None if since is None else at(since),
                until=None if until is None else at(until),
            )
            return [(each.executed_at - NOW).seconds for each in found]

        assert await seconds(None, None) == [5, 4, 3, 2, 1, 0]
        assert await seconds(2, 4) == [4, 3, 2]
        assert await seconds(2, 4, limit=1) == [4]
        assert await seconds(None, 1) == [1, 0]
        assert await seconds(4, None) == [5, 4]
        assert await seconds(4, 2) == []

    async def test_of_this_tool_and_version_alone(self, conn: Connection) -> None:
        first, second = await deploy_all(conn, "one", "two")
        mine, other = execution(version_id=first), execution(version_id=second)
        alien, nobodys = execution("other", version_id=first), execution()
        by_place = execution()
        await record_all(conn, mine, other, alien, nobodys, activation(first, 1), by_place)
        found = await newest_executions(conn, "parser", first, 10)
        assert [each.execution_id for each in found] == [by_place.execution_id, mine.execution_id]
        assert found[0].version_id == first
        for version_id in (-1, 0, second + 1, 2**31, 2**70):
            assert await newest_executions(conn, "parser", version_id, 10) == []

    async def test_everything_that_was_recorded(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        bad = execution(
            version_id=first,
            success=False,
            error="pkg.TypeError: no",
            duration_ms=1.5,
            session_id="s",
        )
        await record_all(conn, bad)
        (found,) = await newest_executions(conn, "parser", first, 10)
        expected = bad.model_dump() | {
            "error_type": "TypeError",
            "error_origin": "tool",
            "log_offset": 0,
            "erased_at": None,
        }
        assert found.model_dump() == expected
        assert isinstance(found, Execution)
        assert is_signature_error(label_of(found.error_type, found.error))

    async def test_by_id_what_is_there(self, conn: Connection) -> None:
        alien = execution("other", executed_at=at(1))
        unjudged = execution(executed_at=at(2))
        await record_all(conn, alien, unjudged)
        ids = [alien.execution_id, uuid4(), unjudged.execution_id, alien.execution_id]
        found = await executions_by_id(conn, "parser", ids)
        assert [each.execution_id for each in found] == [unjudged.execution_id]
        assert [each.execution_id for each in await executions_by_id(conn, "other", ids)] == [
            alien.execution_id
        ]
        assert await executions_by_id(conn, "parser", []) == []


class TestRollbacks:
    async def test_of_all_tools_the_newest_first(self, conn: Connection) -> None:
        for tool in ("a", "b"):
            await deploy_all(conn, "one", "two", tool=tool)
        orders = [command(tool) for tool in ("a", "b", "a", "nobody")]
        outcomes = [await roll_back(conn, order) for order in orders]
        found = await rollbacks(conn, None, None, 10)
        assert [each.command_id for each in found] == [each.command_id for each in orders[::-1]]
        assert await rollbacks(conn, None, None, 2) == found[:2]
        assert await rollbacks(conn, "a", None, 10) == [found[1], found[3]]
        assert await rollbacks(conn, "nobody's", None, 10) == []
        since = outcomes[1].applied_at
        assert await rollbacks(conn, None, since, 10) == found[:3]
        assert await rollbacks(conn, "a", since, 10) == [found[1]]
        assert await rollbacks(conn, None, datetime.now(UTC) + timedelta(1), 10) == []

    async def test_an_applied_one(self, conn: Connection) -> None:
        _, second, third = await deploy_all(conn, "one", "two", "three")
        order = command(
            from_version_id=third,
            from_activation=3,
            tier="immediate",
            reason="signature_change",
            details={"recent": [str(UUID(int=1))], "success_rate": 0.0, "baseline": None},
        )
        outcome = await roll_back(conn, order)
        found = await rollback_of(conn, order.key)
        assert found is not None
        assert found.model_dump() == {
            "command_id": order.command_id,
            "tool_name": "parser",
            "from_version_id": third,
            "from_version_number": 3,
            "to_version_id": second,
            "to_version_number": 2,
            "target": None,
            "is_breaking_change": None,
            "breaking_changes": None,
            "tier": "immediate",
            "reason": "signature_change",
            "details": order.details,
            "issued_by": "someone",
            "issued_at": order.issued_at,
            "status": "applied",
            "rejection": None,
            "applied_at": outcome.applied_at,
            "from_activation": 3,
            "expires_at": None,
            "approved_by": None,
            "dismissed_by": None,
            "dismissal": None,
            "explanation": outcome.explanation and outcome.explanation.model_dump(),
            "hold_reason": None,
        }
        unknown = command().key
        assert await rollback_of(conn, unknown) is None
        assert await commanded(conn, [unknown, order.key]) == {order.key: found}
        assert await commanded(conn, []) == {}

    async def test_a_rejected_one_keeps_what_it_named(self, conn: Connection) -> None:
        first, second = await deploy_all(conn, "one", "two")
        (alien,) = await deploy_all(conn, "one", tool="other")
        stale = command(from_version_id=first, to_version_id=second)
        foreign = command(from_version_id=alien, to_version_id=2**31 - 1)
        for order in (stale, foreign):
            await roll_back(conn, order)
        found = await commanded(conn, [stale.key, foreign.key])
        known, unknown = found[stale.key], found[foreign.key]
        assert (known.rejection, unknown.rejection) == ("not_current", "unknown_version")
        assert (known.from_version_number, known.to_version_number) == (1, 2)
        assert (unknown.from_version_id, unknown.to_version_id) == (alien, 2**31 - 1)
        assert (unknown.from_version_number, unknown.to_version_number) == (None, None)

    async def test_a_version_has_those_about_it(self, conn: Connection) -> None:
        first, second = await deploy_all(conn, "one", "two")
        (alien,) = await deploy_all(conn, "one", tool="other")

        async def order(**named: Any) -> RollbackOutcome:
            return await roll_back(conn, command(**named))

        early = await order(from_version_id=first)  # not current
        applied = await order()
        stale = await order(from_version_id=second)
        last = await order(from_version_id=first)  # no previous
        await order(from_version_id=alien)  # nobody's
        await order(to_version_id=alien)  # nobody's
        assert await version(conn, "other", alien) == (await history(conn, "other", 1))[0]
        about = {each.version_id: each.rollbacks for each in await history(conn, "parser", 10)}
        about |= {each.version_id: each.rollbacks for each in await history(conn, "other", 10)}
        assert {key: [each.command_id for each in records] for key, records in about.items()} == {
            first: [early.command_id, last.command_id],
            second: [applied.command_id, stale.command_id],
            alien: [],
        }
        assert about[second][0].status == "applied"
        assert about[first][1].rejection == "no_previous_version"
        one = await version(conn, "parser", second)
        assert one is not None
        assert one.rollbacks == about[second]
        assert (
            b'"rejection":"no_previous_version"' in (await history(conn, "parser", 2))[1].to_bytes()
        )


class TestVersions:
    async def test_accepted_breaks(self, conn: Connection) -> None:
        accepted = [
            AcceptedBreak(kind="removed", reason="nobody 'called' it 🎉\r\n"),
            AcceptedBreak(object="run", kind="moved", reason="\0"),
        ]
        await deploy(conn, deployment("one", accepted_breaks=accepted))
        await deploy(conn, deployment("one", accepted_breaks=[]))  # unchanged: it keeps its own
        kept = await conn.fetchval("select accepted_breaks from tool_versions")
        assert kept == [
            {"kind": "removed", "reason": "nobody 'called' it 🎉\r\n"},
            {"kind": "moved", "object": "run", "reason": "\u2400"},
        ]
        current = await current_version(conn, "parser")
        assert current is not None
        assert current.accepted_breaks == accepted
        assert (await history(conn, "parser", 1))[0].accepted_breaks == accepted
        await deploy_all(conn, "two")
        assert [each.accepted_breaks for each in await history(conn, "parser", 2)] == [[], accepted]

    async def test_metrics(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        bad, good = execution(version_id=first, success=False), execution(version_id=first)
        await record_all(conn, bad, good)
        found = await version(conn, "parser", first)
        assert found is not None
        assert (found.total_executions, found.successful_executions) == (2, 1)
        assert (found.success_rate, found.trusted, found.rollbacks) == (0.5, True, [])

    @pytest.mark.parametrize("text", STRANGE)
    async def test_names_and_code_go_through_unharmed(self, conn: Connection, text: str) -> None:
        first, second = await deploy_all(conn, text, f"{text}2", tool=text)
        await record_all(conn, execution(text, False, version_id=second, error=text))
        order = command(
            text, tier="fast", reason="complete_failure", details={text: [text]}, issued_by=text
        )
        assert (await roll_back(conn, order)).to_version_id == first
        newest, oldest = await history(conn, text, 2)
        assert (oldest.tool_name, oldest.code, newest.code) == (text, text, f"{text}2")
        assert (newest.trusted, oldest.trusted) == (False, True)
        (about,) = newest.rollbacks
        assert (about.tool_name, about.details, about.issued_by) == (text, {text: [text]}, text)
        assert await rollbacks(conn, text, None, 1) == [about]
        (failed,) = await newest_executions(conn, text, second, 1)
        assert (failed.tool_name, failed.error) == (text, text)
        counted = await recount(conn, text, second)
        assert counted is not None
        assert (counted.after.total_executions, counted.changed) == (1, False)


class TestErrors:
    async def test_not_migrated_and_not_connected(self, postgres_server: PostgresServer) -> None:
        with postgres_server.database("template1") as dsn:
            conn = await connect(dsn)
            for expected in (Misconfigured, Retryable):
                for call in (
                    newest_executions(conn, "x", 1, 1),
                    executions_by_id(conn, "x", [uuid4()]),
                    rollbacks(conn, None, None, 1),
                    rollbacks(conn, "x", None, 1),
                    rollback_of(conn, command().key),
                    commanded(conn, [command().key]),
                    recount(conn, "x", 1),
                    history(conn, "x", 1),
                    version(conn, "x", 1),
                ):
                    with pytest.raises(expected):
                        await call
                await conn.close()
