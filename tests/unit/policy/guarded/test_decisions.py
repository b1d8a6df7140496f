"""What policy `guarded` decides, by hand."""

from policy.decision.health import health_of
from policy.decision.policies import policy_for
from policy.state.outage_watch import OutageWatch
from policy.weighing.evidence_summary import CountsOfVersion, summary_of
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules
from tests.support.policy.backtest_logs import START
from tests.support.policy.folding import commands_of_product
from tests.support.policy.generated_logs import TOOL
from tests.support.policy.guarded_rows import DEFAULT, row_of
from tests.support.policy.written_logs import Script, every


def known(*, spread: float = 600) -> Script:
    """Return a log in which 118 of 120 executions succeed, with a deployment at 0."""
    outcomes = ("." * 59 + "F") * 2
    return (
        Script().deploy(-spread * 120).run(outcomes, *every(spread, 120, -spread * 120)).deploy(0)
    )


def test_a_rule_that_holds_names_reason_and_tier() -> None:
    """The rule about three failures in a row holds at the third; the fifth failure condemns."""
    script = known().run("FFFF", *every(1, 4, 0))
    assert commands_of_product(script.log, DEFAULT) == []
    (command,) = commands_of_product(script.run("F", 4).log, DEFAULT)
    assert (command.tier, command.reason) == ("immediate", "consecutive_failures")
    assert (command.details["executions"], command.details["evidence"]["seen"]["executions"]) == (
        5,
        5,
    )


def test_a_rule_without_evidence_decides_nothing() -> None:
    """There are three failures in a row, but nothing is known of the tool."""
    script = Script().deploy(0).run("FFF", 0, 1, 2)
    assert len(commands_of_product(script.log, Rules())) == 1
    assert commands_of_product(script.log, DEFAULT) == []


def test_without_a_rule_it_is_a_regression() -> None:
    """Executions an hour apart: no immediate or fast rule; fewer than 10: no standard rule."""
    script = known().run("FFFFF", *every(3_600, 5, 0))
    (command,) = commands_of_product(script.log, DEFAULT)
    assert (command.tier, command.reason) == ("standard", "regression")
    assert command.details["executions"] == command.details["failures"] == 5
    assert command.details["success_rate"] == 0.0
    said = summary_of(command.details)
    assert said is not None
    assert (said.test, said.assumed, said.limit) == ("rate", False, 100)
    assert said.odds >= 100
    assert said.baseline == CountsOfVersion(120, 2, 0, 1, 0)
    assert said.seen == CountsOfVersion(5, 5, 0, 4, 4)


def test_the_next_attempt_waits_and_needs_a_failure() -> None:
    """Decided at 400 s; 999 s is too early; the success at 1,001 s condemns nothing."""
    script = known().run("FFFFFF", *every(100, 6, 0)).run("F.FFF", 999, 1001, 1002, 1003, 1004)
    commands = commands_of_product(script.log, DEFAULT)
    assert [each.details["attempt"] for each in commands] == [1, 2]
    assert [(each.issued_at - START).total_seconds() for each in commands] == [400, 1002]


def test_health_shows_the_verdict_of_the_policy() -> None:
    """Also after a success that leaves enough evidence; a rule without evidence is not enough."""
    before = health_of(
        row_of(known().run("FF", 0, 1)), TOOL, policy_for(DEFAULT), OutageWatch(), OutageRules()
    )
    assert (before["needs_rollback"], before["reason"], before["details"]) == (False, None, {})
    row = row_of(known().run("F.FFFFFF.", *every(3_600, 9, 0)))
    health = health_of(row, TOOL, policy_for(DEFAULT), OutageWatch(), OutageRules())
    assert (health["needs_rollback"], health["reason"]) == (True, "regression")
    assert health["details"]["evidence"]["seen"]["executions"] == 9
    alone = row_of(Script().deploy(0).run("FFF", 0, 1, 2))
    assert not health_of(alone, TOOL, policy_for(DEFAULT), OutageWatch(), OutageRules())[
        "needs_rollback"
    ]
    assert health_of(alone, TOOL, policy_for(Rules()), OutageWatch(), OutageRules())[
        "needs_rollback"
    ]


def test_guarded_has_no_verdict_by_the_newest_executions_alone() -> None:
    row = row_of(Script().deploy(0).run("FFF", 0, 1, 2))
    assert policy_for(Rules()).immediate_verdict(row) is not None
    assert policy_for(DEFAULT).immediate_verdict(row) is None
