"""The applier under policy `guarded`: targets, breaks, rollback limits, refused code."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from agents.applier import comparisons
from db.postgres.pool import Connection, Pool, open_pool
from db.versions.reading import current_version
from schemas.deployment import ToolVersion
from schemas.explanation import Explanation, SeenError
from schemas.later_verdict import LaterVerdict
from schemas.rollback import RollbackCommand, RollbackOutcome, automatic_command_id
from schemas.settings import Settings
from tests.support.applier import TOPICS, Applier
from tests.support.login_roles import create_login_roles
from tests.support.stored import (
    NOW,
    command,
    deploy_all,
    deployment,
    execution,
    held_locks,
    record_all,
    verdict,
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
    """The applier under policy `guarded`, with some settings changed."""

    def __init__(self, pool: Pool, **changes: Any) -> None:
        super().__init__(pool, settings=Settings(**(GUARDED | changes)))

    async def condemn(self, conn: Connection, *tools: str, **fields: Any) -> RollbackOutcome:
        """Roll the current versions back as the detector would; return the last outcome."""
        await self.roll_back(*[await automatic_command(conn, tool, **fields) for tool in tools])
        return self.broker.rolled_back()[-1]


async def automatic_command(
    conn: Connection, tool: str = "parser", **fields: Any
) -> RollbackCommand:
    """Return a command as the detector issues it for the current version of the tool."""
    current = await current_version(conn, tool)
    assert current is not None
    given = {
        "command_id": automatic_command_id(tool, current.version_id, current.activation, 1),
        "from_version_id": current.version_id,
        "from_activation": current.activation,
        "tier": "fast",
        "reason": "complete_failure",
        "details": {"executions": 5, "failures": 5},
    }
    return command(tool, **(given | fields))


@pytest.fixture
def guarded(pool: Pool) -> Guarded:
    return Guarded(pool)


async def record_executions(
    conn: Connection, version_id: int, count: int, failures: int = 0
) -> None:
    """Record executions of a version; the first ones fail."""
    await record_all(
        conn,
        *(execution(version_id=version_id, success=number >= failures) for number in range(count)),
    )


class TestTargets:
    async def test_a_version_that_did_well_is_preferred_to_a_nearer_one(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        first, second, third, _ = await deploy_all(conn, "one", "two", "three", "four")
        await record_executions(conn, first, 20)
        await record_executions(conn, second, 20, failures=1)
        await record_executions(conn, third, 9)
        outcome = await guarded.condemn(conn, "parser")
        assert (outcome.status, outcome.to_version_number, outcome.target) == (
            *("applied", 2),
            "earned",
        )
        assert guarded.broker.activations("parser") == [5]

    async def test_without_such_a_version_the_nearest_is_the_target(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        first, second, _ = await deploy_all(conn, "one", "two", "three")
        await record_executions(conn, first, 20)
        await record_executions(conn, second, 9)
        # 0.05 ** (1 / 20) = 0.861 < 0.9
        details = {"executions": 10, "failures": 1}
        outcome = await guarded.condemn(conn, "parser", details=details)
        assert (outcome.to_version_number, outcome.target) == (2, "nearest")

    async def test_without_details_the_recorded_executions_count(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        first, _, third = await deploy_all(conn, "one", "two", "three")
        await record_executions(conn, first, 20)
        await record_executions(conn, third, 10, failures=9)
        outcome = await guarded.condemn(conn, "parser", details={})
        assert (outcome.to_version_number, outcome.target) == (1, "earned")

    async def test_the_nearest_is_the_target_for_policy_seed_and_for_people(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        for tool in ("seed", "parser"):
            first, *_ = await deploy_all(conn, "one", "two", "three", tool=tool)
            await record_all(conn, *(execution(tool, version_id=first) for _ in range(20)))
        await guarded.roll_back(await automatic_command(conn, "seed"), command("parser"))
        for outcome in guarded.broker.rolled_back():
            assert (outcome.status, outcome.to_version_number) == ("applied", 2)
            assert outcome.target is None
            assert outcome.is_breaking_change is None
            assert outcome.breaking_changes is None
        assert guarded.comparer.asked == []
        assert b"target" not in guarded.broker.of(TOPICS.outcomes)[0]

    async def test_a_version_that_is_not_trusted_is_no_target(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        first, second = await deploy_all(conn, "one", "two")
        await record_executions(conn, first, 5)
        await record_executions(conn, second, 100, failures=10)
        await guarded.condemn(conn, "parser")
        await deploy_all(conn, "three")
        outcome = await guarded.condemn(conn, "parser")
        assert (outcome.to_version_number, outcome.target) == (1, "nearest")


class TestBreaks:
    async def test_the_outcome_names_what_the_target_breaks(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        await deploy_all(conn, "one", "two")
        guarded.comparer.kind = "function_removed"
        order = await automatic_command(conn)
        await guarded.roll_back(order, order)
        first, again = guarded.broker.of(TOPICS.outcomes)
        assert again == first
        outcome = RollbackOutcome.from_bytes(first)
        assert (outcome.status, outcome.is_breaking_change) == ("applied", True)
        assert outcome.breaking_changes == ["two to one"]
        # Only before the lock: nothing had changed under it, and a replay is not compared.
        assert guarded.comparer.asked == [("two", "one")]

    async def test_a_risky_change_is_named_and_does_not_hold_the_rollback(
        self, pool: Pool, conn: Connection
    ) -> None:
        await deploy_all(conn, "one", "two")
        outcome = await Guarded(pool, hold_breaking_targets=True).condemn(conn, "parser")
        assert (outcome.status, outcome.is_breaking_change) == ("applied", False)
        assert outcome.breaking_changes == ["two to one"]

    async def test_another_target_is_compared_under_the_lock(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        """The first target loses its trust while its code is compared."""
        await deploy_all(conn, "one", "two", "three")

        async def distrust_two() -> None:
            assert await held_locks(conn) == 0
            await conn.execute(
                "insert into distrusted_code select tool_name, code_hash, gen_random_uuid(), now()"
                " from tool_versions where code = 'two'"
            )

        guarded.comparer.meanwhile = distrust_two
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

    async def test_by_a_setting_a_breaking_target_is_held(
        self, pool: Pool, conn: Connection
    ) -> None:
        guarded = Guarded(pool, hold_breaking_targets=True)
        guarded.comparer.kind = "function_removed"
        await deploy_all(conn, "one", "two")
        outcome = await guarded.condemn(conn, "parser")
        assert (outcome.status, outcome.is_breaking_change) == ("held", True)
        assert guarded.broker.shape() == [
            (TOPICS.outcomes, ["parser"])
        ]  # nothing else is published
        current = await current_version(conn, "parser")
        assert current is not None
        assert current.version_number == 2
        await guarded.roll_back(command())  # a person's
        assert guarded.broker.rolled_back()[-1].status == "applied"

    async def test_an_approved_command_is_neither_held_nor_limited(
        self, pool: Pool, conn: Connection
    ) -> None:
        guarded = Guarded(pool, hold_breaking_targets=True, rollback_budget=1, cooldown_s=60)
        guarded.comparer.kind = "function_removed"
        await deploy_all(conn, "one", "two", "three")
        for number in (2, 1):
            outcome = await guarded.condemn(conn, "parser", approved_by="someone")
            assert (outcome.status, outcome.to_version_number) == ("applied", number)

    async def test_a_tool_whose_code_takes_long_to_compare_delays_no_other(
        self, guarded: Guarded, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(comparisons, "PATIENCE_S", 0.05)
        for tool in "abc":
            await deploy_all(conn, f"{tool} one", f"{tool} two", tool=tool)
        guarded.comparer.slow = {"b one": guarded.broker.rolled_back}
        await guarded.condemn(conn, *"abc")
        together = [tools for topic, tools in guarded.broker.shape() if topic == TOPICS.outcomes]
        assert together == [["a", "c"], ["b"]]
        assert [each.status for each in guarded.broker.rolled_back()] == ["applied"] * 3


def thresholds(guarded: Guarded) -> dict[str, int | float]:
    """Return the thresholds in the explanation of the last outcome."""
    explanation = guarded.broker.rolled_back()[-1].explanation
    assert explanation is not None
    return explanation.thresholds


class TestLaterVerdicts:
    @staticmethod
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

    @staticmethod
    async def judged(conn: Connection) -> list[LaterVerdict]:
        """Record verdicts on the second version, most of them bad; return the bad ones."""
        first, second = await deploy_all(conn, "one", "two")
        bad = [verdict(version_id=second, why=f"wrong {n % 2}") for n in range(5)]
        good = [verdict(version_id=second, bad=False) for _ in range(2)]
        others = [verdict(version_id=first), verdict(version_id=second, tool_name="other")]
        await record_all(conn, *bad[:2], *good, *others, *bad[2:])
        return bad

    async def test_those_that_decided_are_named(self, guarded: Guarded, conn: Connection) -> None:
        bad = await self.judged(conn)
        found = await self.condemned(guarded, conn, bad[3], 3)  # the fifth came after the decision
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
        self, guarded: Guarded, conn: Connection
    ) -> None:
        bad, newest = await self.judged(conn), verdict()
        found = await self.condemned(guarded, conn, newest, 2)
        assert found.decided_by[:2] == [newest.verdict_id, bad[4].verdict_id]

    async def test_a_command_that_names_none_has_the_recorded_ones(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        bad = await self.judged(conn)
        found = await self.condemned(guarded, conn, None, 2)
        assert found.decided_by[:2] == [bad[4].verdict_id, bad[3].verdict_id]

    async def test_the_appliers_role_may_read_them(
        self, database_dsn: str, conn: Connection
    ) -> None:
        bad = await self.judged(conn)
        pool = await open_pool((await create_login_roles(database_dsn))["applier"])
        try:
            found = await self.condemned(Guarded(pool), conn, bad[4], 3)
        finally:
            await pool.close()
        assert found.decided_by[:3] == [each.verdict_id for each in (bad[4], bad[3], bad[2])]
        assert found.errors

    async def test_a_refusal_of_the_same_code_says_why_too(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        bad = await self.judged(conn)
        found = await self.condemned(guarded, conn, bad[4], 5)
        await guarded.deploy(deployment("two", created_by="autonomous"))
        rolled_back = guarded.broker.deployed()[-1].rolled_back
        assert rolled_back is not None
        assert (rolled_back.rule, rolled_back.executions) == (found.rule, found.decided_by)
        assert rolled_back.errors == ["wrong 1", "wrong 0"]


NO_BASELINE = dict.fromkeys(("baseline", "odds", "expected_share", "confidence", "threshold"))


class TestRollbackLimits:
    @staticmethod
    async def deploy_and_condemn(
        guarded: Guarded, conn: Connection, seconds: float, tool: str = "parser"
    ) -> str | None:
        """Deploy another version, condemn it at this second, and return the rejection."""
        code = f"{tool} at {seconds}"
        await guarded.deploy(deployment(code, tool, created_by="autonomous"))
        at = NOW + timedelta(seconds=seconds)
        return (await guarded.condemn(conn, tool, issued_at=at)).rejection

    async def test_the_budget(self, pool: Pool, conn: Connection) -> None:
        guarded = Guarded(pool, rollback_budget=2, rollback_budget_s=100)
        for tool in ("parser", "other"):
            await deploy_all(conn, "good", tool=tool)
        assert await self.deploy_and_condemn(guarded, conn, 0) is None
        assert await self.deploy_and_condemn(guarded, conn, 50) is None
        assert await self.deploy_and_condemn(guarded, conn, 99) == "budget"
        assert await self.deploy_and_condemn(guarded, conn, 99, "other") is None
        assert await self.deploy_and_condemn(guarded, conn, 100) is None
        assert await self.deploy_and_condemn(guarded, conn, 101) == "budget"
        assert (
            thresholds(guarded).items() >= {"rollback_budget": 2, "rollback_budget_s": 100}.items()
        )

    async def test_the_cooldown(self, pool: Pool, conn: Connection) -> None:
        guarded = Guarded(pool, cooldown_s=5, cooldown_decay_s=60)
        await deploy_all(conn, "good")
        assert await self.deploy_and_condemn(guarded, conn, 0) is None
        assert (
            await self.deploy_and_condemn(guarded, conn, 1) is None
        )  # the first rollback starts no cooldown
        assert await self.deploy_and_condemn(guarded, conn, 5) == "cooldown"
        assert await self.deploy_and_condemn(guarded, conn, 6) is None
        assert await self.deploy_and_condemn(guarded, conn, 15) == "cooldown"  # it is 10 s now
        assert await self.deploy_and_condemn(guarded, conn, 16) is None
        assert (
            await self.deploy_and_condemn(guarded, conn, 16 + 120) is None
        )  # two of the four rollbacks count no more
        assert await self.deploy_and_condemn(guarded, conn, 16 + 120 + 9) == "cooldown"
        assert thresholds(guarded).items() >= {"cooldown_s": 5, "cooldown_decay_s": 60}.items()
        assert await self.deploy_and_condemn(guarded, conn, 16 + 120 + 10) is None

    async def test_a_replay_gets_the_first_outcome_again(
        self, pool: Pool, conn: Connection
    ) -> None:
        guarded = Guarded(pool, cooldown_s=5)
        await deploy_all(conn, "good")
        orders = []
        for seconds in (0, 1, 2):
            await deploy_all(conn, f"bad {seconds}")
            at = NOW + timedelta(seconds=seconds)
            orders.append(await automatic_command(conn, issued_at=at))
            await guarded.roll_back(orders[-1])
        rejections = [each.rejection for each in guarded.broker.rolled_back()]
        assert rejections == [None, None, "cooldown"]
        first = guarded.broker.of(TOPICS.outcomes)
        await guarded.roll_back(*orders)
        assert guarded.broker.of(TOPICS.outcomes)[3:] == first

    async def test_limits_count_in_event_time(self, pool: Pool, conn: Connection) -> None:
        """Commands that are an hour apart are applied within one moment, as in a backlog."""
        guarded = Guarded(pool, cooldown_s=60)
        await deploy_all(conn, "good")
        for hour in range(5):
            assert await self.deploy_and_condemn(guarded, conn, hour * 3_600) is None

    async def test_policy_seed_and_people_have_no_limits(
        self, pool: Pool, conn: Connection
    ) -> None:
        guarded = Guarded(pool, rollback_budget=1)
        for tool in ("seed", "parser"):
            await deploy_all(conn, "good", tool=tool)
        assert await self.deploy_and_condemn(guarded, conn, 0) is None
        for _ in range(3):
            assert await self.deploy_and_condemn(guarded, conn, 0, "seed") is None
        await deploy_all(conn, "bad")
        await guarded.roll_back(command())
        assert guarded.broker.rolled_back()[-1].status == "applied"

    async def test_rollbacks_by_people_are_not_counted(self, pool: Pool, conn: Connection) -> None:
        guarded = Guarded(pool, rollback_budget=1, wait_after_manual_rollback=False)
        await deploy_all(conn, "good", "bad")
        await guarded.roll_back(command())
        assert await self.deploy_and_condemn(guarded, conn, 0) is None


class TestRefused:
    async def roll_back_bad(self, guarded: Guarded, conn: Connection, tool: str = "parser") -> None:
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
        self, guarded: Guarded, conn: Connection
    ) -> None:
        await self.roll_back_bad(guarded, conn)
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
        self, guarded: Guarded, conn: Connection
    ) -> None:
        await self.roll_back_bad(guarded, conn)
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
        self, guarded: Guarded, conn: Connection
    ) -> None:
        """Code without trust can be current: a command that names its target needs no trust."""
        await self.roll_back_bad(guarded, conn)
        await guarded.condemn(conn, "parser", to_version_id=2)
        await guarded.deploy(deployment("bad", created_by="autonomous"))
        [outcome] = guarded.broker.deployed()
        assert (outcome.status, outcome.version_number) == ("unchanged", 2)

    async def test_other_tools_and_policy_seed_refuse_nothing(
        self, guarded: Guarded, conn: Connection
    ) -> None:
        await self.roll_back_bad(guarded, conn)
        await self.roll_back_bad(guarded, conn, "seed")
        await deploy_all(conn, "good", tool="other")
        for tool in ("seed", "other"):
            await guarded.deploy(deployment("bad", tool, created_by="autonomous"))
        assert [each.status for each in guarded.broker.deployed()] == ["created", "created"]
        versions = map(ToolVersion.from_bytes, guarded.broker.of(TOPICS.versions)[-2:])
        assert [each.code for each in versions] == ["bad", "bad"]

    async def test_the_granted_rights_suffice_for_a_refusal(
        self, database_dsn: str, conn: Connection
    ) -> None:
        """By `docs/security.md` the applier may read the errors of executions, and nothing else."""
        pool = await open_pool((await create_login_roles(database_dsn))["applier"])
        try:
            guarded = Guarded(pool)
            await self.roll_back_bad(guarded, conn)
            await guarded.deploy(deployment("bad", created_by="autonomous"))
        finally:
            await pool.close()
        [refused] = guarded.broker.deployed()
        assert refused.rolled_back is not None
        assert refused.rolled_back.errors


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
