"""The refusal of code that was rolled back."""

from datetime import datetime, timedelta

from db.postgres.pool import Connection, open_pool
from db.versions.reading import current_version
from schemas.deployment import ToolVersion
from tests.support.inputs.stored import NOW, deploy_all, deployment, execution, record_all
from tests.support.servers.login_roles import create_login_roles
from tests.support.systems.applier import TOPICS
from tests.support.systems.guarded_applier import Guarded

EVIDENCE = {
    "test": "rate",
    "odds": 140.0,
    "limit": 100.0,
    "expected_success_rate": 0.93,
    "expected_failure_rate": 0.07,
    "expected_repeat_rate": 0.5,
    "confidence": 0.95,
    "assumed": False,
    "baseline": dict.fromkeys(
        ("failures", "signature_errors", "after_failure", "failures_after_failure"), 2
    )
    | {"executions": 120},
    "seen": dict.fromkeys(
        ("failures", "signature_errors", "after_failure", "failures_after_failure"), 5
    )
    | {"executions": 6},
}


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


async def roll_back_bad(guarded: Guarded, conn: Connection, tool: str = "parser") -> None:
    """Deploy `good` and `bad`, let three executions of `bad` fail, and roll it back."""
    _, bad = await deploy_all(conn, "good", "bad", tool=tool)
    trace = "Traceback (most recent call last):\n  File …\nValueError: no"
    failed = [
        execution(tool, False, version_id=bad, error=error, executed_at=at)
        for error, at in (("TypeError: x\x1b[1m", NOW), (trace, later(1)), (trace, later(2)))
    ]
    await record_all(conn, *failed)
    recent = [str(each.execution_id) for each in failed[::-1]]
    details = {"recent": [*recent, "no id"], "executions": 3, "failures": 3}
    outcome = await guarded.condemn(conn, tool, details=details | {"evidence": EVIDENCE})
    assert outcome.status == "applied"


async def test_a_refusal_names_the_rollback_and_its_reasons(
    guarded: Guarded, conn: Connection
) -> None:
    await roll_back_bad(guarded, conn)
    done = guarded.broker.rolled_back()[0]
    request = deployment("bad", created_by="autonomous")
    published = len(guarded.broker.shape())
    await guarded.deploy(request, deployment("new", "other", created_by="autonomous"))
    refused, created = guarded.broker.deployed()
    assert (created.status, refused.status) == ("created", "refused")
    assert (refused.refusal, refused.version_id) == ("identical_to_rolled_back", None)
    rolled_back = refused.rolled_back
    assert rolled_back is not None
    assert (rolled_back.command_id, rolled_back.tier, rolled_back.reason) == (
        *(done.command_id, "fast"),
        "complete_failure",
    )
    assert rolled_back.rule == "at least 5 executions in the last 1800 s, and all failed"
    assert rolled_back.evidence is not None
    assert rolled_back.evidence.endswith("140 to 1 against")
    assert (rolled_back.from_version_id, rolled_back.rolled_back_at) == (
        done.from_version_id,
        done.applied_at,
    )
    assert len(rolled_back.executions) == 3
    assert rolled_back.errors == ["ValueError: no", "TypeError: x\\x1b[1m"]
    assert guarded.broker.shape()[published:] == [
        (TOPICS.executions, ["other"]),
        (TOPICS.versions, ["other"]),
        (TOPICS.deployment_outcomes, ["parser", "other"]),
    ]
    current = await current_version(conn, "parser")
    assert current is not None
    assert current.version_number == 1
    assert await conn.fetchval("select max(version_number) from tool_versions") == 2


async def test_a_replay_gets_the_refusal_again_although_the_code_is_trusted_now(
    guarded: Guarded, conn: Connection
) -> None:
    await roll_back_bad(guarded, conn)
    request = deployment("bad", created_by="autonomous")
    await guarded.deploy(request)
    await guarded.deploy(deployment("bad"))  # a person's: it is trusted again
    await guarded.deploy(request)
    assert [each.status for each in guarded.broker.deployed()] == [
        *("refused", "created"),
        "refused",
    ]
    first, _, again = guarded.broker.of(TOPICS.deployment_outcomes)
    assert again == first
    await guarded.deploy(deployment("good"), deployment("bad", created_by="autonomous"))
    assert guarded.broker.deployed()[-1].status == "created"


async def test_a_deployment_of_the_current_code_is_not_refused(
    guarded: Guarded, conn: Connection
) -> None:
    """Code without trust can be current: a command that names its target needs no trust."""
    await roll_back_bad(guarded, conn)
    await guarded.condemn(conn, "parser", to_version_id=2)
    await guarded.deploy(deployment("bad", created_by="autonomous"))
    [outcome] = guarded.broker.deployed()
    assert (outcome.status, outcome.version_number) == ("unchanged", 2)


async def test_other_tools_and_policy_seed_refuse_nothing(
    guarded: Guarded, conn: Connection
) -> None:
    await roll_back_bad(guarded, conn)
    await roll_back_bad(guarded, conn, "seed")
    await deploy_all(conn, "good", tool="other")
    for tool in ("seed", "other"):
        await guarded.deploy(deployment("bad", tool, created_by="autonomous"))
    assert [each.status for each in guarded.broker.deployed()] == ["created", "created"]
    versions = map(ToolVersion.from_bytes, guarded.broker.of(TOPICS.versions)[-2:])
    assert [each.code for each in versions] == ["bad", "bad"]


async def test_the_granted_rights_suffice_for_a_refusal(
    database_dsn: str, conn: Connection
) -> None:
    """By `docs/security.md` the applier may read the errors of executions, and nothing else."""
    pool = await open_pool((await create_login_roles(database_dsn))["applier"])
    try:
        guarded = Guarded(pool)
        await roll_back_bad(guarded, conn)
        await guarded.deploy(deployment("bad", created_by="autonomous"))
    finally:
        await pool.close()
    [refused] = guarded.broker.deployed()
    assert refused.rolled_back is not None
    assert refused.rolled_back.errors
