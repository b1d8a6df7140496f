"""What a rollback cost and spared, from the calls around it."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.rollbacks.costs import Calls, CallsAround, CostedCommand, cost_of, total_of
from schemas.rollback import Reason, Rejection, Status


def around(
    before: tuple[int, int] = (0, 0),
    waiting: tuple[int, int] = (0, 0),
    late: tuple[int, int] = (0, 0),
    after: tuple[int, int] = (0, 0),
    is_cut: bool = False,
    is_after_cut: bool = False,
) -> CallsAround:
    calls = (Calls(*before), Calls(*waiting), Calls(*late), Calls(*after))
    return CallsAround(*calls, is_cut, is_after_cut)


@dataclass
class _Call:
    part: str
    failed: bool


@given(
    st.lists(
        st.builds(_Call, st.sampled_from(["before", "waiting", "late", "after"]), st.booleans()),
        max_size=40,
    )
)
def test_each_failed_call_of_the_version_is_counted_once(calls: list[_Call]) -> None:
    """The model counts call by call, and replaces each call after the rollback by a share."""
    parts = {
        part: [each for each in calls if each.part == part]
        for part in ("before", "waiting", "late", "after")
    }
    counts = {
        part: (len(found), sum(each.failed for each in found)) for part, found in parts.items()
    }
    found = around(counts["before"], counts["waiting"], counts["late"], counts["after"])
    cost = cost_of(found, "applied", "complete_failure")
    of_version = [each for each in calls if each.part != "after"]
    failed = [each for each in of_version if each.failed]
    assert (cost.failures, cost.executions) == (len(failed), len(of_version))
    assert cost.until_decision == sum(each.part == "before" for each in failed)
    assert cost.while_waiting == sum(each.part == "waiting" for each in failed)
    assert cost.late == sum(each.part == "late" for each in failed)
    if not of_version or not parts["after"]:
        assert cost.spared is None
        return
    assert cost.spared is not None
    share = len(failed) / len(of_version)
    expected = sum(share - each.failed for each in parts["after"])
    assert cost.spared.calls == pytest.approx(expected, abs=0.051)
    assert cost.spared.low <= cost.spared.calls <= cost.spared.high


def test_how_an_estimate_is_computed_is_said() -> None:
    cost = cost_of(
        around((10, 4), (1, 1), (1, 0), (5_000, 50), is_cut=True, is_after_cut=True),
        "applied",
        "regression",
    )
    assert cost.at_least
    assert cost.spared is not None
    assert cost.spared.calls == pytest.approx(5_000 * 5 / 12 - 50, abs=0.06)
    assert cost.how.startswith(
        "an estimate: had the first 5000 calls after the rollback failed as often as the newest "
        "12 calls of the version that was replaced (5 failed), instead of 50."
    )


@pytest.mark.parametrize(
    ("status", "reason", "rejection", "found", "why"),
    [
        ("held", "complete_failure", None, around((3, 3), (4, 4)), "it was not carried out"),
        ("rejected", "complete_failure", "pinned", around((3, 3)), "it was not carried out"),
        ("rejected", "manual", "not_current", around((3, 3)), "not about the current version"),
        ("applied", "slower", None, around((9, 0), after=(9, 0)), "not replaced because of"),
        ("applied", "manual", None, around(after=(9, 0)), "no call of the version"),
        ("applied", "complete_failure", None, around((3, 3)), "was not called since"),
    ],
)
def test_why_there_is_no_estimate(
    status: Status, reason: Reason, rejection: Rejection | None, found: CallsAround, why: str
) -> None:
    cost = cost_of(found, status, reason, rejection)
    assert cost.spared is None
    assert why in cost.how
    assert (cost.after is None) == (status != "applied")


def test_the_sum_says_how_many_estimates_it_has() -> None:
    applied = cost_of(around((3, 3), after=(10, 0)), "applied", "complete_failure")
    waits = cost_of(around((3, 3), (40, 40), is_cut=True), "held", "complete_failure")
    total = total_of([CostedCommand("a", "applied", applied), CostedCommand("b", "held", waits)])
    assert (total.rollbacks, total.applied, total.failures) == (2, 1, 46)
    assert (total.at_least, total.spared, total.spared_known) == (True, 10.0, 1)
    assert total_of([]).failures == 0


def test_failures_of_an_activation_count_once_however_often_it_was_commanded() -> None:
    refused = cost_of(around((3, 3), (4, 4)), "rejected", "complete_failure", "budget")
    applied = cost_of(around((5, 5), (3, 3), (1, 1), (9, 0)), "applied", "complete_failure")
    commands = [CostedCommand("a", "rejected", refused), CostedCommand("a", "applied", applied)]
    total = total_of(commands)
    assert (total.rollbacks, total.applied, total.failures, total.spared) == (2, 1, 9, 9.0)
