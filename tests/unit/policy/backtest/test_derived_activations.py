"""Activations that are derived from executions."""

from policy.backtest.derived_activations import DerivedActivations, is_derived
from schemas.execution import Activation, Execution
from schemas.execution_entry import ExecutionEntry
from tests.support.inputs.messages import execution
from tests.support.policy.backtest_logs import active, run


def derived(*log: Execution | Activation) -> list[tuple[int, str, int]]:
    """Return the activations of the completed log: version, kind and number."""
    completing = DerivedActivations()
    found: list[tuple[int, str, int]] = []
    for entry in log:
        if isinstance(entry, Execution):
            each = completing.before(ExecutionEntry.of(entry))
            assert each is None or is_derived(each)
        else:
            each = completing.instead_of(entry)
        if each is not None:
            found.append((each.version_id, each.activated_by.kind, each.activation))
    return found


def test_another_version_begins_an_activation() -> None:
    log = [run(0), run(1, 1), run(2), run(3, 1), run(4, 2), run(4, 2), run(6, 1), run(7, 5)]
    assert derived(*log) == [
        (1, "deployment", 1),
        (2, "deployment", 2),
        (1, "rollback", 3),
        (5, "deployment", 4),
    ]


def test_a_late_execution_begins_no_activation() -> None:
    assert derived(run(0, 1), run(5, 2), run(4, 1), run(6, 2)) == [
        (1, "deployment", 1),
        (2, "deployment", 2),
    ]


def test_recorded_activations_replace_derived_ones() -> None:
    """After the first recorded activation of a tool, nothing is derived for it.

    A recorded activation that repeats a derived one is left out. Recorded numbers continue after
    the derived ones.
    """
    recorded = [active(0, 1, 1), active(5, 2, 2), active(7, 1, 3, "rollback")]
    assert derived(recorded[0], run(1, 1), run(2, 9), *recorded[1:], run(8, 2)) == [
        (1, "deployment", 1),
        (2, "deployment", 2),
        (1, "rollback", 3),
    ]
    assert derived(run(0, 1), run(5, 2), recorded[2], run(8, 2)) == [
        (1, "deployment", 1),
        (2, "deployment", 2),
        (1, "rollback", 3),
    ]
    assert derived(run(0, 8), run(1, 9), *recorded) == [
        (8, "deployment", 1),
        (9, "deployment", 2),
        (1, "deployment", 3),
        (2, "deployment", 4),
        (1, "rollback", 5),
    ]
    assert derived(run(5, 2), recorded[1], recorded[2]) == [
        (2, "deployment", 1),
        (1, "rollback", 3),
    ]
    assert derived(run(0, 1), run(5, 2), active(5, 2, 1), recorded[2]) == [
        (1, "deployment", 1),
        (2, "deployment", 2),
        (1, "rollback", 4),
    ]


def test_each_tool_is_derived_alone() -> None:
    completing = DerivedActivations()
    assert completing.instead_of(active(0, 1, 1)) is not None
    other = completing.before(ExecutionEntry.of(execution("other", version_id=1)))
    assert other is not None
    assert other.tool_name == "other"
