"""Which engines have left the version that a rollback replaces."""

from datetime import UTC, datetime

from db.rollbacks.costs import Concerned
from policy.engines import EngineState
from rollguard.operations.overview.engines import EngineOfTool
from rollguard.operations.overview.rollback_costs import concerns_of, engines_affected

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def engine(name: str, state: EngineState, runs: int) -> EngineOfTool:
    return EngineOfTool(
        tool_name="words",
        engine_id=name,
        state=state,
        version_id=runs,
        version_number=None,
        current_version_id=1,
        current_version_number=1,
        current_activation=3,
        stale_executions=0,
        error=None,
        error_type=None,
        loaded_at=NOON,
        heard_at=NOON,
    )


def test_engines_that_have_reloaded_and_that_have_not() -> None:
    found = engines_affected(
        [
            engine("a", "current", 1),
            engine("b", "stale", 2),
            engine("c", "failed", 1),
            engine("d", "unknown", 2),
            engine("e", "stale", 9),
        ],
        replaced_id=2,
    )
    assert (found.reloaded, found.not_reloaded, found.failed, found.unknown) == (2, 1, 1, 1)
    assert [each.engine_id for each in found.behind] == ["b", "c"]


def test_who_runs_a_version_that_is_current_again_is_not_behind() -> None:
    found = engines_affected([engine("a", "current", 1), engine("b", "stale", 2)], replaced_id=1)
    assert (found.reloaded, found.not_reloaded, found.behind) == (2, 0, [])


def test_calls_without_a_name_are_counted_by_themselves() -> None:
    found = concerns_of(
        [
            Concerned("session", "s", 3, NOON, 30),
            Concerned("session", None, 2, NOON, 30),
        ]
    )
    assert (found.number, found.without_name) == (30, 2)
    assert [(each.name, each.failures) for each in found.most] == [("s", 3)]
    assert concerns_of([]).number == 0
