"""The applier under policy `guarded`: targets, breaks, rollback limits, refused code."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from agents.applier import comparisons
from db.postgres.pool import Connection, Pool, open_pool
from db.versions.reading import current_version
from schemas.deployment import ToolVersion
from schemas.rollback import RollbackCommand, RollbackOutcome, automatic_command_id
from schemas.settings import Settings
from tests.integration.streams.test_least_privilege import grant
from tests.support.applier import TOPICS, Applier
from tests.support.stored import (
    NOW,
    command,
    deploy_all,
    deployment,
    execution,
    held_locks,
    record_all,
)

TOOLS = {"seed": {"policy": "seed"}}
GUARDED: dict[str, Any] = {"partitions": 1, "policy": "guarded", "tools": TOOLS, "cooldown_s": 0}
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


class Guarded(Applier):
    """The applier under this policy."""

    def __init__(self, pool: Pool, **numbers: Any) -> None:
        super().__init__(pool, settings=Settings(**(GUARDED | numbers)))

    async def condemn(self, conn: Connection, *tools: str, **fields: Any) -> RollbackOutcome:
        """Apply what the detector commands for the current versions; return the last outcome."""
        await self.roll_back(*[await condemning(conn, tool, **fields) for tool in tools])
        return self.broker.rolled_back()[-1]


async def condemning(conn: Connection, tool: str = "parser", **fields: Any) -> RollbackCommand:
    current = await current_version(conn, tool)
    assert current is not None
    about = current.version_id, current.activation
    given = {
        "command_id": automatic_command_id(tool, *about, 1),
        "from_version_id": about[0],
        "from_activation": about[1],
        "tier": "fast",
        "reason": "complete_failure",
        "details": {"executions": 5, "failures": 5},
    }
    return command(tool, **(given | fields))


@pytest.fixture
def guarded(pool: Pool) -> Guarded:
    return Guarded(pool)


async def runs(conn: Connection, version_id: int, count: int, failures: int = 0) -> None:
    await record_all(
        conn,
        *(execution(version_id=version_id, success=number >= failures) for number in range(count)),
    )


class TestTargets:
    async def test_earned_health_goes_before_nearness(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        first, second, third, _ = await deploy_all(conn, "one", "two", "three", "four")
        await runs(conn, first, 20)
        await runs(conn, second, 20, failures=1)
        await runs(conn, third, 9)
        outcome = await guarded.condemn(conn, "parser")
        assert (outcome.status, outcome.to_version_number, outcome.target) == (
            *("applied", 2),
            "earned",
        )
        assert guarded.broker.activations("parser") == [5]

    async def test_the_nearest_where_none_has_earned_it(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        first, second, _ = await deploy_all(conn, "one", "two", "three")
        await runs(conn, first, 20)
        await runs(conn, second, 9)
        # 0.05 ** (1 / 20) = 0.861 < 0.9
        details = {"executions": 10, "failures": 1}
        outcome = await guarded.condemn(conn, "parser", details=details)
        assert (outcome.to_version_number, outcome.target) == (2, "nearest")

    async def test_without_details_what_is_recorded_counts(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        first, _, third = await deploy_all(conn, "one", "two", "three")
        await runs(conn, first, 20)
        await runs(conn, third, 10, failures=9)
        outcome = await guarded.condemn(conn, "parser", details={})
        assert (outcome.to_version_number, outcome.target) == (1, "earned")

    async def test_seed_and_people_get_the_nearest(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        for tool in ("seed", "parser"):
            first, *_ = await deploy_all(conn, "one", "two", "three", tool=tool)
            await record_all(conn, *(execution(tool, version_id=first) for _ in range(20)))
        await guarded.roll_back(await condemning(conn, "seed"), command("parser"))
        for outcome in guarded.broker.rolled_back():
            assert (outcome.status, outcome.to_version_number) == ("applied", 2)
            told = outcome.target, outcome.is_breaking_change, outcome.breaking_changes
            assert told == (None, None, None)
        assert guarded.comparer.asked == []
        assert b"target" not in guarded.broker.of(TOPICS.outcomes)[0]

    async def test_what_is_not_trusted_has_earned_nothing(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        first, second = await deploy_all(conn, "one", "two")
        await runs(conn, first, 5)
        await runs(conn, second, 100, failures=10)
        await guarded.condemn(conn, "parser")
        await deploy_all(conn, "three")
        outcome = await guarded.condemn(conn, "parser")
        assert (outcome.to_version_number, outcome.target) == (1, "nearest")


class TestBreaks:
    async def test_the_outcome_says_what_the_target_breaks(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        await deploy_all(conn, "one", "two")
        guarded.comparer.kind = "function_removed"
        order = await condemning(conn)
        await guarded.roll_back(order, order)
        first, again = guarded.broker.of(TOPICS.outcomes)
        assert again == first
        outcome = RollbackOutcome.from_bytes(first)
        assert (outcome.status, outcome.is_breaking_change) == ("applied", True)
        assert outcome.breaking_changes == ["two to one"]
        # before the lock; neither under it, where nothing had changed, nor for the replay
        assert guarded.comparer.asked == [("two", "one")]

    async def test_what_is_risky_is_said_and_breaks_nothing(
        self, pool: Pool, conn: Connection
    ) -> None:
        await deploy_all(conn, "one", "two")
        outcome = await Guarded(pool, hold_breaking_targets=True).condemn(conn, "parser")
        assert (outcome.status, outcome.is_breaking_change) == ("applied", False)
        assert outcome.breaking_changes == ["two to one"]

    async def test_what_was_replaced_is_what_was_compared_with(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        """Compare again under the lock if the target lost its trust during the first comparison."""
        await deploy_all(conn, "one", "two", "three")

        async def lose() -> None:
            assert await held_locks(conn) == 0
            await conn.execute(
                "insert into distrusted_code select tool_name, code_hash, gen_random_uuid(), now()"
                " from tool_versions where code = 'two'"
            )

        guarded.comparer.meanwhile = lose
        outcome = await guarded.condemn(conn, "parser")
        assert guarded.comparer.asked == [("three", "two"), ("three", "one")]
        assert (outcome.to_version_number, outcome.breaking_changes) == (1, ["three to one"])

    async def test_a_rejected_command_is_not_compared(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        await deploy_all(conn, "one", "two")
        outcome = await guarded.condemn(conn, "parser", from_activation=1)
        assert (outcome.rejection, guarded.comparer.asked) == ("not_current", [])
        await deploy_all(conn, "one", tool="alone")
        outcome = await guarded.condemn(conn, "alone")
        assert (outcome.rejection, guarded.comparer.asked) == ("no_previous_version", [])

    async def test_a_named_target_is_compared_too(self, guarded: Guarded, conn: Connection) -> None:
        first, _, _ = await deploy_all(conn, "one", "two", "three")
        outcome = await guarded.condemn(conn, "parser", to_version_id=first)
        assert (outcome.to_version_id, outcome.target) == (first, None)
        assert outcome.breaking_changes == ["three to one"]
        outcome = await guarded.condemn(conn, "parser", to_version_id=2**31 - 1)
        assert outcome.rejection == "unknown_version"

    async def test_by_a_setting_it_waits_for_a_person(self, pool: Pool, conn: Connection) -> None:
        guarded = Guarded(pool, hold_breaking_targets=True)
        guarded.comparer.kind = "function_removed"
        await deploy_all(conn, "one", "two")
        outcome = await guarded.condemn(conn, "parser")
        assert (outcome.status, outcome.is_breaking_change) == ("held", True)
        assert guarded.broker.shape() == [(TOPICS.outcomes, ["parser"])]  # nothing else is said
        current = await current_version(conn, "parser")
        assert current is not None
        assert current.version_number == 2
        await guarded.roll_back(command())  # a person's
        assert guarded.broker.rolled_back()[-1].status == "applied"

    async def test_what_a_person_approves_is_neither_held_nor_limited(
        self, pool: Pool, conn: Connection
    ) -> None:
        guarded = Guarded(pool, hold_breaking_targets=True, rollback_budget=1, cooldown_s=60)
        guarded.comparer.kind = "function_removed"
        await deploy_all(conn, "one", "two", "three")
        for number in (2, 1):
            outcome = await guarded.condemn(conn, "parser", approved_by="someone")
            assert (outcome.status, outcome.to_version_number) == ("applied", number)

    async def test_a_group_is_cut_where_comparing_takes_long(
        self, guarded: Guarded, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(comparisons, "COMPARE_GROUP_S", -1.0)
        for tool in "abc":
            await deploy_all(conn, "one", "two", tool=tool)
        await guarded.condemn(conn, *"abc")
        together = [tools for topic, tools in guarded.broker.shape() if topic == TOPICS.outcomes]
        assert together == [["a"], ["b"], ["c"]]
        assert [each.status for each in guarded.broker.rolled_back()] == ["applied"] * 3


class TestRollbackLimits:
    @staticmethod
    async def again(
        guarded: Guarded, conn: Connection, seconds: float, tool: str = "parser"
    ) -> str | None:
        """Another version is deployed, and condemned at this second; its rejection."""
        code = f"{tool} at {seconds}"
        await guarded.deploy(deployment(code, tool, created_by="autonomous"))
        at = NOW + timedelta(seconds=seconds)
        return (await guarded.condemn(conn, tool, issued_at=at)).rejection

    async def test_the_budget(self, pool: Pool, conn: Connection) -> None:
        guarded = Guarded(pool, rollback_budget=2, rollback_budget_s=100)
        for tool in ("parser", "other"):
            await deploy_all(conn, "good", tool=tool)
        assert await self.again(guarded, conn, 0) is None
        assert await self.again(guarded, conn, 50) is None
        assert await self.again(guarded, conn, 99) == "budget"
        assert await self.again(guarded, conn, 99, "other") is None
        assert await self.again(guarded, conn, 100) is None
        assert await self.again(guarded, conn, 101) == "budget"

    async def test_the_cooldown(self, pool: Pool, conn: Connection) -> None:
        guarded = Guarded(pool, cooldown_s=5, cooldown_decay_s=60)
        await deploy_all(conn, "good")
        assert await self.again(guarded, conn, 0) is None
        assert await self.again(guarded, conn, 1) is None  # the first is free
        assert await self.again(guarded, conn, 5) == "cooldown"
        assert await self.again(guarded, conn, 6) is None
        assert await self.again(guarded, conn, 15) == "cooldown"  # 10 s by now
        assert await self.again(guarded, conn, 16) is None
        assert await self.again(guarded, conn, 16 + 120) is None  # two of four are forgotten
        assert await self.again(guarded, conn, 16 + 120 + 9) == "cooldown"
        assert await self.again(guarded, conn, 16 + 120 + 10) is None

    async def test_a_replay_gets_its_first_outcome(self, pool: Pool, conn: Connection) -> None:
        guarded = Guarded(pool, cooldown_s=5)
        await deploy_all(conn, "good")
        orders = []
        for seconds in (0, 1, 2):
            await deploy_all(conn, f"bad {seconds}")
            at = NOW + timedelta(seconds=seconds)
            orders.append(await condemning(conn, issued_at=at))
            await guarded.roll_back(orders[-1])
        rejections = [each.rejection for each in guarded.broker.rolled_back()]
        assert rejections == [None, None, "cooldown"]
        first = guarded.broker.of(TOPICS.outcomes)
        await guarded.roll_back(*orders)
        assert guarded.broker.of(TOPICS.outcomes)[3:] == first

    async def test_catching_up_reaches_no_limit(self, pool: Pool, conn: Connection) -> None:
        """All in one moment, of events that were an hour apart."""
        guarded = Guarded(pool, cooldown_s=60)
        await deploy_all(conn, "good")
        for hour in range(5):
            assert await self.again(guarded, conn, hour * 3_600) is None

    async def test_people_and_seed_have_no_limits(self, pool: Pool, conn: Connection) -> None:
        guarded = Guarded(pool, rollback_budget=1)
        for tool in ("seed", "parser"):
            await deploy_all(conn, "good", tool=tool)
        assert await self.again(guarded, conn, 0) is None
        for _ in range(3):
            assert await self.again(guarded, conn, 0, "seed") is None
        await deploy_all(conn, "bad")
        await guarded.roll_back(command())
        assert guarded.broker.rolled_back()[-1].status == "applied"

    async def test_what_people_roll_back_is_not_counted(self, pool: Pool, conn: Connection) -> None:
        guarded = Guarded(pool, rollback_budget=1)
        await deploy_all(conn, "good", "bad")
        await guarded.roll_back(command())
        assert await self.again(guarded, conn, 0) is None


class TestRefused:
    async def condemned(self, guarded: Guarded, conn: Connection, tool: str = "parser") -> None:
        """Three executions of `bad` fail, it is rolled back, and `good` is current again."""
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

    async def test_of_a_machine_with_the_reason(self, guarded: Guarded, conn: Connection) -> None:
        await self.condemned(guarded, conn)
        done = guarded.broker.rolled_back()[0]
        request = deployment("bad", created_by="autonomous")
        published = len(guarded.broker.shape())
        await guarded.deploy(request, deployment("new", "other", created_by="autonomous"))
        refused, created = guarded.broker.deployed()
        assert (created.status, refused.status) == ("created", "refused")
        assert (refused.refusal, refused.version_id) == ("identical_to_rolled_back", None)
        told = refused.rolled_back
        assert told is not None
        assert (told.command_id, told.tier, told.reason) == (
            *(done.command_id, "fast"),
            "complete_failure",
        )
        assert told.rule == "at least 5 executions in the last 1800 s, and all failed"
        assert told.evidence is not None
        assert told.evidence.endswith("140 to 1 against")
        assert (told.from_version_id, told.rolled_back_at) == (
            done.from_version_id,
            done.applied_at,
        )
        assert len(told.executions) == 3
        assert told.errors == ["ValueError: no", "TypeError: x\\x1b[1m"]
        assert guarded.broker.shape()[published:] == [
            (TOPICS.executions, ["other"]),
            (TOPICS.versions, ["other"]),
            (TOPICS.deployment_outcomes, ["parser", "other"]),
        ]
        current = await current_version(conn, "parser")
        assert current is not None
        assert current.version_number == 1
        assert await conn.fetchval("select max(version_number) from tool_versions") == 2

    async def test_a_replay_gets_the_refusal_again(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        await self.condemned(guarded, conn)
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

    async def test_what_is_current_is_unchanged(self, guarded: Guarded, conn: Connection) -> None:
        """Code without trust can be current: a command that names its target needs no trust."""
        await self.condemned(guarded, conn)
        await guarded.condemn(conn, "parser", to_version_id=2)  # by name
        await guarded.deploy(deployment("bad", created_by="autonomous"))
        [outcome] = guarded.broker.deployed()
        assert (outcome.status, outcome.version_number) == ("unchanged", 2)

    async def test_of_other_tools_and_policies_it_is_taken(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        await self.condemned(guarded, conn)
        await self.condemned(guarded, conn, "seed")
        await deploy_all(conn, "good", tool="other")
        for tool in ("seed", "other"):
            await guarded.deploy(deployment("bad", tool, created_by="autonomous"))
        assert [each.status for each in guarded.broker.deployed()] == ["created", "created"]
        versions = map(ToolVersion.from_bytes, guarded.broker.of(TOPICS.versions)[-2:])
        assert [each.code for each in versions] == ["bad", "bad"]

    async def test_with_what_the_applier_is_granted(
        self, database_dsn: str, conn: Connection
    ) -> None:
        """By `docs/security.md`: it reads errors, and nothing else of executions."""
        pool = await open_pool((await grant(database_dsn))["applier"])
        try:
            guarded = Guarded(pool)
            await self.condemned(guarded, conn)
            await guarded.deploy(deployment("bad", created_by="autonomous"))
        finally:
            await pool.close()
        [refused] = guarded.broker.deployed()
        assert refused.rolled_back is not None
        assert refused.rolled_back.errors


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
