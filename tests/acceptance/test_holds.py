"""The verbs for what waits for a person, rollbacks and deployments, and for pins; real workers."""

import getpass
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from rollguard import ToolVersionManager
from rollguard.client import Check, DeploymentHeld, DeploymentOutcome
from schemas.rollback import RollbackCommand, RollbackOutcome
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import CommandResult, rollguard
from tests.support.systems.shared import Start
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _holding(start_shared: Start, embedded_broker: str) -> AsyncIterator[Workers]:
    """Hold what the detector decides for one reason; what is held of `quick` expires after 1 s."""
    async with start_shared(
        embedded_broker,
        *("detector", "applier", "recorder"),
        ROLLGUARD_HOLD="consecutive_failures",
        ROLLGUARD_GATE="hold",
        ROLLGUARD_TOOLS='{"quick": {"hold_expires_s": 1}, "strict": {"gate": "refuse"}}',
    ) as workers:
        yield workers


@pytest_asyncio.fixture
async def system(_holding: Workers) -> AsyncIterator[System]:
    async with System.of(_holding) as system:
        yield system


async def send_command(system: System, tool: str, mode: str | None = "hold") -> RollbackCommand:
    """Send a command for the current version of the tool, as the detector does; return it."""
    [current] = await system.query(
        "SELECT version_id, activation FROM tool_versions WHERE tool_name = $1 AND is_current",
        tool,
    )
    order = RollbackCommand.model_validate(
        {
            "command_id": uuid4(),
            "tool_name": tool,
            "from_version_id": current["version_id"],
            "from_activation": current["activation"],
            "tier": "standard",
            "reason": "regression",
            "mode": mode,
            "details": {"executions": 7},
            "issued_by": "detector",
            "issued_at": datetime.now(UTC),
        }
    )
    await system.send(system.topics.commands, tool, order)
    return order


async def outcome_of(system: System, order: RollbackCommand, *statuses: str) -> RollbackOutcome:
    """Return the first outcome of the command with one of these statuses."""

    def is_searched(value: bytes) -> bool:
        outcome = RollbackOutcome.from_bytes(value)
        return outcome.command_id == order.command_id and outcome.status in statuses

    record = await system.first(system.topics.outcomes, is_searched)
    return RollbackOutcome.from_bytes(record.value)


async def json_of(system: System, *words: str) -> Any:
    """Return what a verb prints as JSON; it must succeed."""
    answer = await rollguard(*words, "--json", env=system.environment())
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)


async def deploy(system: System, tool: str, code: str) -> int | None:
    """Deploy, and return the id of the version."""
    return (await system.deploy(tool, code)).version_id


async def holds_of(system: System, *tools: str) -> list[str]:
    """Return the ids of the commands of these tools that `holds` lists, in its order."""
    listed = await json_of(system, "holds")
    return [each["command_id"] for each in listed if each["tool_name"] in tools]


async def test_a_person_is_asked(system: System, tool: str) -> None:
    env = system.environment()
    a, b = f"{tool}-a", f"{tool}-b"
    ids = {each: [await deploy(system, each, code) for code in ("one", "two")] for each in (a, b)}
    assert await holds_of(system, a, b) == []
    first = await send_command(system, a)
    await outcome_of(system, first, "held")
    second = await send_command(system, b)
    await outcome_of(system, second, "held")

    assert await holds_of(system, a, b) == [str(each.command_id) for each in (second, first)]
    assert [each["tool_name"] for each in await json_of(system, "holds", "--tool", a)] == [a]
    shown = (await rollguard("holds", env=env)).out
    for word in (
        str(first.command_id),
        f"v2 (id {ids[a][1]}) → v1 (id {ids[a][0]})",
        "regression",
        "until",
    ):
        assert word in shown
    assert "held until" in (await rollguard("rollbacks", "--tool", a, env=env)).out

    yes = await json_of(system, "approve", str(first.command_id), "--by", "ann")
    assert (yes["status"], yes["to_version_number"]) == ("applied", 1)
    assert (await json_of(system, "current", a))["version_number"] == 1
    assert await json_of(system, "approve", str(first.command_id)) == yes, (
        "a second approval has the same result"
    )
    late = await rollguard("dismiss", str(first.command_id), "--reason", "no", env=env)
    assert (late.code, late.out) == (1, "")
    assert "not dismissed: applied" in late.err

    no = await rollguard("dismiss", str(second.command_id), "--reason", "a test\x1b[1m", env=env)
    assert (no.code, no.err) == (0, "")
    assert "dismissed" in no.out
    late = await rollguard("approve", str(second.command_id), env=env)
    assert (late.code, late.out) == (1, "")
    assert "not approved: a person dismissed it" in late.err
    assert await holds_of(system, a, b) == []
    assert (await json_of(system, "current", b))["version_number"] == 2

    explained = await json_of(system, "explain", str(second.command_id))
    assert (explained["status"], explained["rejection"]) == ("rejected", "dismissed")
    assert explained["dismissed_by"] == getpass.getuser()
    assert explained["dismissal"] == "a test\x1b[1m"
    told = (await rollguard("explain", str(second.command_id), env=env)).out
    assert f"dismissed by {getpass.getuser()}: a test␛[1m" in told
    assert "approved by ann" in (await rollguard("rollbacks", "--tool", a, env=env)).out
    assert "dismissed by" in (await rollguard("history", b, env=env)).out


async def test_only_a_held_rollback_can_be_answered(system: System, tool: str) -> None:
    env = system.environment()
    for words in (("approve",), ("dismiss", "--reason", "no")):
        unknown = await rollguard(*words, str(UUID(int=1)), env=env)
        assert (unknown.code, unknown.out) == (1, "")
        assert "no rollback and no held deployment has the id 00000000" in unknown.err
        assert "`rollguard holds` lists what waits" in unknown.err
    for wrong in (
        ("approve", "nonsense"),
        ("dismiss", str(UUID(int=1))),
        ("holds", "--limit", "many"),
    ):
        assert (await rollguard(*wrong, env=env)).code == 2, wrong
    for code in ("one", "two"):
        await system.deploy(tool, code)
    observed = await send_command(system, tool, "observe")
    outcome = await outcome_of(system, observed, "observed")
    assert (outcome.from_version_id, outcome.to_version_number) == (
        observed.from_version_id,
        1,
    )
    late = await rollguard("approve", str(observed.command_id), env=env)
    assert late.code == 1
    assert "not approved: only observed" in late.err
    assert (await json_of(system, "current", tool))["version_number"] == 2
    long = await rollguard("approve", str(observed.command_id), "--by", "x" * 256, env=env)
    assert long.code == 1
    assert "approved_by" in long.err


async def test_a_hold_expires_if_nobody_answers(system: System) -> None:
    for code in ("one", "two"):
        await system.deploy("quick", code)
    order = await send_command(system, "quick")
    outcome = await outcome_of(system, order, "rejected")
    assert outcome.rejection == "expired"
    labels = 'reason="regression",rejection="expired",status="rejected"'

    async def is_counted() -> bool:  # the applier counts it after it has published the outcome
        return f"rollguard_rollbacks_total{{{labels}}} 1.0" in await system.metrics("applier")

    await until(is_counted)
    late = await rollguard("approve", str(order.command_id), env=system.environment())
    assert late.code == 1
    assert "nobody approved it in time" in late.err
    assert (await json_of(system, "current", "quick"))["version_number"] == 2


async def deploy_by_machine(system: System, tool: str, code: str, *words: str) -> CommandResult:
    """Deploy as a machine does, by the command line; the check `smoke` has failed."""
    file = system.folder / f"{tool}.py"
    file.write_text(code)
    failed = ("--check", "smoke=failed: no answer", "--check", "lint=ok")
    return await rollguard(
        *("deploy", tool, str(file), "--by", "autonomous", *failed, *words),
        env=system.environment(),
    )


async def held_by(system: System, tool: str, code: str) -> str:
    """Deploy as a machine does, and return the id of the deployment, which is held."""
    held = await deploy_by_machine(system, tool, code)
    assert (held.code, held.out) == (1, "")
    assert "the check 'smoke' failed: no answer" in held.err.lower()
    [waits] = await json_of(system, "holds", "--tool", tool)
    assert (waits["kind"], waits["status"]) == ("deployment", "held")
    assert f"rollguard approve {waits['deployment_id']}" in held.err
    return str(waits["deployment_id"])


async def test_a_person_is_asked_before_a_version_runs(system: System, tool: str) -> None:
    env = system.environment()
    await deploy(system, tool, "def execute(a): return a")
    held = await held_by(system, tool, "def execute(): return 1")
    shown = (await rollguard("holds", env=env)).out
    for word in (held, "deployment by autonomous", "smoke", "'a'"):
        assert word in shown

    async def version_1_is_judged() -> bool:
        return (await system.health(tool))[0] == 200

    await until(version_1_is_judged)
    health = await json_of(system, "health", tool)
    assert health["held_deployment"]["deployment_id"] == held
    assert held in (await rollguard("health", tool, env=env)).out
    [listed] = [each for each in await json_of(system, "tools") if each["tool_name"] == tool]
    assert (listed["held"], listed["deployment_held"]) == (False, True)
    assert "deployment held" in (await rollguard("tools", env=env)).out
    assert (await json_of(system, "status"))["postgres"]["held_deployments"] >= 1
    assert "held until" in (await rollguard("history", tool, env=env)).out

    yes = await json_of(system, "approve", held[:13], "--by", "ann")
    assert (yes["status"], yes["version_number"]) == ("created", 2)
    current = await json_of(system, "current", tool)
    assert (current["code"], current["created_by"]) == ("def execute(): return 1", "autonomous")
    assert current["checks"] == [
        {"name": "smoke", "ok": False, "detail": "no answer"},
        {"name": "lint", "ok": True, "detail": None},
    ]
    assert (current["hold"]["status"], current["hold"]["approved_by"]) == ("approved", "ann")
    assert await json_of(system, "approve", held) == yes, "a second approval changes nothing"
    late = await rollguard("dismiss", held, "--reason", "no", env=env)
    assert (late.code, late.out) == (1, "")
    assert "not dismissed: created before" in late.err
    told = (await rollguard("show", tool, "v2", env=env)).out
    assert "smoke failed: no answer" in told
    assert "approved by ann" in told
    assert await json_of(system, "holds", "--tool", tool) == []


async def test_a_held_deployment_is_dismissed_or_superseded(system: System, tool: str) -> None:
    env = system.environment()
    first = await held_by(system, tool, "x = 1")
    assert first in (await rollguard("history", tool, env=env)).out, "it has no version yet"
    second = await held_by(system, tool, "x = 2")
    gone = await rollguard("approve", first, env=env)
    assert gone.code == 1
    assert "not approved: refused: superseded" in gone.err
    no = await rollguard("dismiss", second, "--reason", "a test\x1b[1m", "--by", "ben", env=env)
    assert (no.code, no.err) == (0, "")
    late = await rollguard("approve", second, env=env)
    assert "not approved: refused: dismissed by ben: a test␛[1m" in late.err
    third = await held_by(system, tool, "x = 3")
    assert (await deploy(system, tool, "x = 4")) is not None
    assert "superseded" in (await rollguard("approve", third, env=env)).err
    history = (await rollguard("history", tool, env=env)).out
    assert f"superseded by deployment {second}" in history
    assert "dismissed by ben: a test␛[1m" in history
    assert (await json_of(system, "current", tool))["code"] == "x = 4"


async def test_a_held_deployment_expires_and_the_gate_refuses(system: System) -> None:
    await deploy_by_machine(system, "quick", "x = 1")

    def expired(value: bytes) -> bool:
        outcome = DeploymentOutcome.from_bytes(value)
        return (outcome.tool_name, outcome.refusal) == ("quick", "expired")

    await system.first(system.topics.deployment_outcomes, expired)
    refused = await deploy_by_machine(system, "strict", "def execute(")
    assert (refused.code, refused.out) == (1, "")
    assert "refused: gate; The code does not parse (line 1" in refused.err
    with pytest.raises(DeploymentHeld, match="smoke") as held:
        async with ToolVersionManager(system.settings) as manager:
            await manager.create_version(
                *("quick", "x = 2", "autonomous"), checks=[Check(name="smoke", ok=False)]
            )
    assert held.value.outcome.status == "held"
    for wrong in ("smoke", "smoke=perhaps", "=ok", "a\nb=ok"):
        words = ("deploy", "quick", __file__, "--check", wrong)
        assert (await rollguard(*words, env=system.environment())).code == 2, wrong


async def test_pins(system: System, tool: str) -> None:
    env = system.environment()
    unknown = await rollguard("pin", tool, "--reason", "release", env=env)
    assert unknown.code == 1
    assert f"{tool!r} has no versions" in unknown.err
    for code in ("one", "two"):
        await system.deploy(tool, code)
    for words in (("pin", tool), ("unpin", tool)):
        none = await rollguard(*words, env=env)
        assert none.code == 1
        assert f"{tool!r} is not pinned" in none.err

    pinned = await json_of(system, "pin", tool, "--reason", "release", "--by", "ann")
    assert (pinned["reason"], pinned["pinned_by"], pinned["expires_at"]) == ("release", "ann", None)
    assert await json_of(system, "pin", tool) == pinned
    assert "it is unpinned" in (await rollguard("pin", tool, env=env)).out
    assert (
        await outcome_of(system, await send_command(system, tool, None), "rejected")
    ).rejection == "pinned"

    before = datetime.now(UTC)
    for option in ("--until", "--for"):
        pinned = await json_of(system, "pin", tool, "--reason", "weekend", option, "2h")
        ends = datetime.fromisoformat(pinned["expires_at"])
        assert 7_200 <= (ends - before).total_seconds() < 7_260
    assert pinned["pinned_by"] == getpass.getuser()
    pinned = await json_of(system, "pin", tool, "--reason", "x", "--until", "2999-01-01T00:00:00Z")
    assert pinned["expires_at"] == "2999-01-01T00:00:00Z"
    for wrong in (
        ("--for", "2h"),
        ("--reason", "x", "--for", "2h", "--until", "2999-01-01T00:00:00Z"),
        ("--reason", "x", "--for", "0s"),
        ("--reason", "x", "--for", "soon"),
        ("--reason", "x", "--for", "999999999d"),
        ("--reason", "x", "--until", "2020-01-01T00:00:00Z"),
    ):
        assert (await rollguard("pin", tool, *wrong, env=env)).code == 2, wrong

    assert await json_of(system, "unpin", tool) == pinned
    assert (
        await outcome_of(system, await send_command(system, tool, None), "applied")
    ).to_version_number == 1


async def test_a_decision_of_the_detector_is_held_for_its_reason(system: System, tool: str) -> None:
    """Hold it only for the configured reason: a rollback for another reason is applied at once."""
    a, b = f"{tool}-a", f"{tool}-b"
    for each in (a, b):
        for code in ("one", "two"):
            await system.deploy(each, code)
    await system.run(*(execution(a, "ValueError: no") for _ in range(3)))
    await system.run(*(execution(b, "TypeError: no") for _ in range(2)))
    sql = "SELECT status FROM rollbacks WHERE tool_name = any($1) ORDER BY tool_name"

    async def both() -> bool:
        rows = await system.query(sql, [a, b])
        return [row["status"] for row in rows] == ["held", "applied"]

    await until(both)
    [held] = await json_of(system, "holds", "--tool", a)
    assert (held["tool_name"], held["reason"]) == (a, "consecutive_failures")
    assert await holds_of(system, b) == []
    assert (await json_of(system, "current", a))["version_number"] == 2
    assert (await json_of(system, "approve", held["command_id"]))["status"] == "applied"

    async def version_1_is_judged() -> bool:
        status, health = await system.health(a)
        return status == 200 and health["version_number"] == 1

    await until(version_1_is_judged)
    await system.executions_recorded(a, 3)
    explained = await json_of(system, "explain", held["command_id"])
    assert len(explained["executions"]) == 3
    shown = await json_of(system, "show", a, str(held["from_version_id"]))
    assert (shown["trusted"], len(shown["rollbacks"])) == (False, 1)
