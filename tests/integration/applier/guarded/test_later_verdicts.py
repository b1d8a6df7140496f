"""The later verdicts that decided a rollback, in its explanation."""

from typing import Any
from uuid import uuid4

from db.postgres.pool import Connection, open_pool
from schemas.explanation import Explanation, SeenError
from schemas.later_verdict import LaterVerdict
from tests.support.inputs.stored import deploy_all, deployment, record_all, verdict
from tests.support.servers.login_roles import create_login_roles
from tests.support.systems.guarded_applier import Guarded

NO_BASELINE = dict.fromkeys(("baseline", "odds", "expected_share", "confidence", "threshold"))


async def condemned(
    guarded: Guarded, conn: Connection, newest: LaterVerdict | None, bad: int
) -> Explanation:
    quality = {"judged_bad": {"seen": {"asked": 9, "found": bad}, "limit": 250.0} | NO_BASELINE}
    details: dict[str, Any] = {"recent": [str(uuid4())], "quality": quality}
    if newest is not None:
        names = ("verdict_id", "execution_id")
        details["later_verdict"] = {name: str(getattr(newest, name)) for name in names}
    await guarded.condemn(conn, "parser", tier="standard", reason="judged_bad", details=details)
    explanation = guarded.broker.rolled_back()[-1].explanation
    assert explanation is not None
    return explanation


async def judged(conn: Connection) -> list[LaterVerdict]:
    """Record verdicts on the second version, most of them bad; return the bad ones."""
    first, second = await deploy_all(conn, "one", "two")
    bad = [verdict(version_id=second, why=f"wrong {n % 2}") for n in range(5)]
    good = [verdict(version_id=second, bad=False) for _ in range(2)]
    others = [verdict(version_id=first), verdict(version_id=second, tool_name="other")]
    await record_all(conn, *bad[:2], *good, *others, *bad[2:])
    return bad


async def test_those_that_decided_are_named(guarded: Guarded, conn: Connection) -> None:
    bad = await judged(conn)
    found = await condemned(guarded, conn, bad[3], 3)  # the fifth came after the decision
    named = [bad[3], bad[2], bad[1]]
    assert found.decided_by == [
        *(each.verdict_id for each in named),
        *(each.execution_id for each in named),
    ]
    assert found.errors == [
        SeenError(error="wrong 0", executions=1),
        SeenError(error="wrong 1", executions=1),
    ]


async def test_the_newest_is_named_before_it_is_recorded(
    guarded: Guarded, conn: Connection
) -> None:
    bad, newest = await judged(conn), verdict()
    found = await condemned(guarded, conn, newest, 2)
    assert found.decided_by[:2] == [newest.verdict_id, bad[4].verdict_id]


async def test_a_command_that_names_none_has_the_recorded_ones(
    guarded: Guarded, conn: Connection
) -> None:
    bad = await judged(conn)
    found = await condemned(guarded, conn, None, 2)
    assert found.decided_by[:2] == [bad[4].verdict_id, bad[3].verdict_id]


async def test_the_appliers_role_may_read_them(database_dsn: str, conn: Connection) -> None:
    bad = await judged(conn)
    pool = await open_pool((await create_login_roles(database_dsn))["applier"])
    try:
        found = await condemned(Guarded(pool), conn, bad[4], 3)
    finally:
        await pool.close()
    assert found.decided_by[:3] == [each.verdict_id for each in (bad[4], bad[3], bad[2])]
    assert found.errors


async def test_a_refusal_of_the_same_code_says_why_too(guarded: Guarded, conn: Connection) -> None:
    bad = await judged(conn)
    found = await condemned(guarded, conn, bad[4], 5)
    await guarded.deploy(deployment("two", created_by="autonomous"))
    rolled_back = guarded.broker.deployed()[-1].rolled_back
    assert rolled_back is not None
    assert (rolled_back.rule, rolled_back.executions) == (found.rule, found.decided_by)
    assert rolled_back.errors == ["wrong 1", "wrong 0"]
