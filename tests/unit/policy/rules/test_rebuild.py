"""A row rebuilt from Postgres: the same executions lead to the same verdict as the stream."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from policy.decision.command import details_of
from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.decision.rebuild import rebuild
from policy.state.log import LogRecord
from policy.state.row import Row
from schemas.deployment import ToolVersion, code_hash_of
from schemas.execution import ActivatedBy, Execution
from schemas.rules.rules import Rules

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
RUNS = st.lists(
    st.tuples(
        st.integers(-400, 400), st.sampled_from([None, None, "x", "TypeError: a", "KeyError: b"])
    ),
    max_size=25,
)


def version(kind: str) -> ToolVersion:
    return ToolVersion(
        tool_name="t",
        version_id=3,
        version_number=3,
        code="x",
        code_hash=code_hash_of("x"),
        created_by="human",
        improvement_type="initial",
        is_breaking_change=False,
        breaking_changes=[],
        deployment_id=UUID(int=1),
        activation=5,
        activated_at=NOON,
        activated_by=ActivatedBy.model_validate({"kind": kind, "id": UUID(int=2)}),
    )


def executions(runs: list[tuple[int, str | None]]) -> list[Execution]:
    return [
        Execution(
            execution_id=UUID(int=number),
            tool_name="t",
            version_id=3,
            success=error is None,
            error=error,
            executed_at=NOON + timedelta(seconds=seconds),
        )
        for number, (seconds, error) in enumerate(runs)
    ]


def recorded(log: list[Execution], current: ToolVersion, rules: Rules) -> list[Execution]:
    """Return what Postgres gives: the newest ones, oldest first, none from before a rollback."""
    since = NOON if current.activated_by.kind == "rollback" else NOON - timedelta(days=1)
    counted = [each for each in log if each.executed_at >= since]
    return sorted(counted, key=lambda each: each.executed_at)[-rules.ring_size :]


@given(RUNS, st.sampled_from(["deployment", "rollback"]))
def test_the_immediate_rules_say_what_the_detector_says(
    runs: list[tuple[int, str | None]], kind: str
) -> None:
    policy, current, log = policy_for(Rules()), version(kind), executions(runs)
    row: Row | None
    row, _ = fold(None, LogRecord.of(0, 0, current.as_activation()), policy)
    for offset, each in enumerate(log, 1):
        row, _ = fold(row, LogRecord.of(offset, 0, each), policy)
    assert row is not None
    rebuilt = rebuild(current, recorded(log, current, policy.rules), policy)
    expected, verdict = policy.immediate_verdict(row), policy.immediate_verdict(rebuilt)
    assert verdict == expected
    if verdict is not None and expected is not None:
        ours, theirs = details_of(rebuilt, verdict, policy), details_of(row, expected, policy)
        assert ours["recent"] == theirs["recent"]


def test_now_may_be_later_than_the_newest_execution() -> None:
    policy, current = policy_for(Rules()), version("deployment")
    log = executions([(0, "x"), (1, "x"), (2, "x")])
    assert policy.immediate_verdict(rebuild(current, log, policy)) is not None
    still = NOON + timedelta(seconds=300)
    assert policy.immediate_verdict(rebuild(current, log, policy, still)) is not None
    gone = NOON + timedelta(seconds=301)
    assert policy.immediate_verdict(rebuild(current, log, policy, gone)) is None
    assert policy.immediate_verdict(rebuild(current, [], policy, gone)) is None
