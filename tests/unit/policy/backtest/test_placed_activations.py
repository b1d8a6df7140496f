"""Activations whose position in the log is not known."""

from collections.abc import Sequence

from policy.backtest.placed_activations import CommittedActivation, PlacedActivations
from schemas.execution import Activation, Execution
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from tests.support.inputs.messages import execution
from tests.support.policy.backtest_logs import active, at, run


def placed(applied: Sequence[tuple[Activation, int]], *runs: Execution) -> list[list[int]]:
    """Return the numbers of the activations before each execution, and after the last one."""
    log = PlacedActivations(
        [CommittedActivation(each, micros_of(at(second))) for each, second in applied],
        ahead_us=60_000_000,
    )
    found = [[each.activation for each in log.before(ExecutionEntry.of(one))] for one in runs]
    return [*found, [each.activation for each in log.rest()]]


def test_an_activation_comes_before_the_executions_of_its_version() -> None:
    applied = [(active(0, 1, 1), 0), (active(5, 2, 2), 5), (active(9, 1, 3, "rollback"), 9)]
    runs = [run(1, 1), run(6, 1), run(6, 2), run(8, 1), run(9, 2), run(9, 1), run(10, 1)]
    assert placed(applied, *runs) == [[1], [], [2], [], [], [3], [], []]


def test_an_activation_comes_before_what_is_certainly_later() -> None:
    applied = [(active(0, 1, 1), 0), (active(5, 2, 2), 5), (active(7, 3, 3), 7)]
    assert placed(applied, run(1), run(65), run(66), run(68), run(69, 1)) == [
        *([], [1], [2], [3], []),
        [],
    ]
    assert placed(applied, run(1, 1), run(2, 9)) == [[1], [], [2, 3]]
    assert placed(applied, run(1, 3), run(2, 2)) == [[1, 2, 3], [], []]


def test_tools_without_activations_are_not_known() -> None:
    log = PlacedActivations([CommittedActivation(active(0, 1, 1), 0)], 0)
    assert log.knows("parser")
    assert not log.knows("other")
    assert log.before(ExecutionEntry.of(execution("other"))) == ()
