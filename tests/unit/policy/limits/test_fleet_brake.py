"""The fleet's brake, against an oracle that keeps a list of what was carried out."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from policy.rollbacks.fleet_brake import BrakedCommand, held_by_brake
from schemas.rules.fleet import FleetRules

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def held(rules: FleetRules, *seconds: float, before: tuple[float, ...] = ()) -> list[bool]:
    """Return what the brake holds of commands at these seconds, in this order."""
    times = [at(second) for second in before]
    return held_by_brake([BrakedCommand(at(second), times) for second in seconds], rules)


def test_what_is_over_the_budget_is_held() -> None:
    rules = FleetRules(fleet_budget=2, fleet_budget_s=10)
    assert held(rules, 0, 1, 2, 9.999) == [False, False, True, True]
    assert held(rules, 0, 1, 10, 10.5) == [False, False, False, True]
    assert held(rules, 0, before=(-9.999, 9.999)) == [True]  # a clock went back
    assert held(rules, 0, before=(-10, 10)) == [False]


def test_what_is_held_does_not_count() -> None:
    rules = FleetRules(fleet_budget=1, fleet_budget_s=10)
    assert held(rules, 0, 9, 18) == [False, True, False]


def test_an_unanswered_hold_holds_the_next_attempt() -> None:
    rules = FleetRules()
    commands = [BrakedCommand(at(0), (), waits=True), BrakedCommand(at(0), ())]
    assert held_by_brake(commands, rules) == [True, False]


def test_twenty_in_ten_minutes_are_the_default() -> None:
    assert held(FleetRules(), *range(25)) == [False] * 20 + [True] * 5


Step = tuple[int, bool, int]
"""A command: its second, whether a hold of its activation waits, how many decide with it."""


@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.integers(1, 4)), max_size=25),
    st.integers(1, 4),
    st.integers(1, 15),
)
def test_any_groups_give_what_one_after_the_other_gives(
    steps: list[Step], budget: int, budget_s: int
) -> None:
    """Groups are of any length; between them what was carried out is read from the database."""
    rules = FleetRules(fleet_budget=budget, fleet_budget_s=budget_s)
    one_by_one = _oracle(steps, rules)
    stored: list[datetime] = []
    found: list[bool] = []
    left = list(steps)
    while left:
        group, left = left[: left[0][2]], left[left[0][2] :]
        commands = [BrakedCommand(at(s), _near(stored, at(s), rules), w) for s, w, _ in group]
        decided = held_by_brake(commands, rules)
        stored += [
            each.issued_at for each, is_held in zip(commands, decided, strict=True) if not is_held
        ]
        found += decided
    assert found == one_by_one


def _near(stored: list[datetime], time: datetime, rules: FleetRules) -> list[datetime]:
    """Return what the database returns: no more than the budget, and what counts only."""
    span = timedelta(seconds=rules.fleet_budget_s)
    return [each for each in stored if abs(each - time) < span][: rules.fleet_budget]


def _oracle(steps: list[Step], rules: FleetRules) -> list[bool]:
    """Count, for each command, the carried-out ones second by second."""
    carried_out = [0] * 41
    found = []
    for second, waits, _ in steps:
        first = max(0, second - rules.fleet_budget_s + 1)
        near = sum(carried_out[first : second + rules.fleet_budget_s])
        is_held = waits or near >= rules.fleet_budget
        carried_out[second] += not is_held
        found.append(is_held)
    return found


@given(st.lists(st.integers(0, 100), max_size=60), st.integers(1, 5), st.integers(1, 30))
def test_no_time_has_more_than_the_budget(seconds: list[int], budget: int, budget_s: int) -> None:
    """No span that is shorter than the time of the budget contains more rollbacks than it."""
    rules = FleetRules(fleet_budget=budget, fleet_budget_s=budget_s)
    seconds.sort()
    carried = [s for s, is_held in zip(seconds, held(rules, *seconds), strict=True) if not is_held]
    for first in carried:
        assert sum(first <= second < first + budget_s for second in carried) <= budget
