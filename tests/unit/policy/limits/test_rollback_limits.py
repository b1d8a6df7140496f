"""Budget and cooldown of automatic rollbacks, against an oracle that counts second by second."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.rollbacks.rollback_limits import cooldown, rollback_limit
from schemas.rules.rules import Rules

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LOOSE = {"rollback_budget": 100}


def rules(**numbers: int) -> Rules:
    return Rules.model_validate({"policy": "guarded", **numbers})


def ago(*seconds: float) -> list[datetime]:
    return [NOW - timedelta(seconds=each) for each in seconds]


def away(*seconds: float) -> list[timedelta]:
    return [timedelta(seconds=each) for each in seconds]


@pytest.mark.parametrize(
    ("rollbacks", "limit"),
    [
        ((), None),
        ((100, 200), None),
        ((100, 200, 300), "budget"),
        ((100, 200, 999.999), "budget"),
        ((100, 200, 1_000), None),  # just out
        ((-100, -200, 300), "budget"),  # a clock went back
        ((-100, -1_000, 300), None),
    ],
)
def test_the_budget(rollbacks: Sequence[float], limit: str | None) -> None:
    numbers = rules(rollback_budget=3, rollback_budget_s=1_000, cooldown_s=0)
    assert rollback_limit(ago(*rollbacks), NOW, numbers) == limit


@pytest.mark.parametrize(
    ("rollbacks", "seconds"),
    [
        ((), 0),
        ((1,), 0),  # the first is free
        ((2, 1), 5),
        ((3, 2, 1), 10),
        ((60, 50, 40, 30, 20, 10), 60),  # 5 * 2**4 is more
        ((100, 99), 5),
        ((101, 100), 0),  # one is forgotten
        ((300, 200, 2, 1), 5),  # each was, before the next one
        ((203, 202, 201, 200, 50), 20),  # four, less one; and one more
        ((203, 202, 201, 200), 5),  # four, less two
        ((450, 449, 448, 247, 2, 1), 5),  # three, less two; one more, less two; and two
    ],
)
def test_the_cooldown_grows_and_decays(rollbacks: Sequence[float], seconds: int) -> None:
    numbers = rules(cooldown_s=5, cooldown_max_s=60, cooldown_decay_s=100)
    assert cooldown(away(*rollbacks), numbers) == timedelta(seconds=seconds)


def test_the_cooldown_ends_at_its_second() -> None:
    numbers = rules(**LOOSE, cooldown_s=5)
    assert rollback_limit(ago(0), NOW, numbers) is None
    assert rollback_limit(ago(6, 4.999999), NOW, numbers) == "cooldown"
    assert rollback_limit(ago(6, 5), NOW, numbers) is None
    assert rollback_limit(ago(12, 11, 9.999999), NOW, numbers) == "cooldown"
    assert rollback_limit(ago(12, 11, 10), NOW, numbers) is None
    assert rollback_limit(ago(-4, -5), NOW, numbers) == "cooldown"
    assert rollback_limit(ago(-3_000, -3_001), NOW, numbers) is None
    assert rollback_limit(ago(0, 0), NOW, rules(**LOOSE, cooldown_s=0)) is None


def test_the_budget_comes_first() -> None:
    assert rollback_limit(ago(1), NOW, rules(rollback_budget=1)) == "budget"
    assert rollback_limit(ago(1, 2), NOW, rules(rollback_budget=2)) == "budget"
    assert rollback_limit(ago(1, 2), NOW, rules(rollback_budget=3)) == "cooldown"


def test_many_rollbacks_do_not_overflow() -> None:
    numbers = rules(rollback_budget=10_000, cooldown_max_s=366 * 86_400)
    assert cooldown(away(*range(5_000, 0, -1)), numbers) == timedelta(days=366)


def oracle(rollbacks: Sequence[datetime], at: datetime, numbers: Rules) -> str | None:
    """Return the limit; walk from the farthest rollback that counts to now, second by second."""
    seconds = sorted((int(abs(at - time).total_seconds()) for time in rollbacks), reverse=True)
    seconds = [each for each in seconds if each < numbers.rollback_budget_s]
    if len(seconds) >= numbers.rollback_budget:
        return "budget"
    remembered = quiet = 0
    for second in range(max(seconds, default=0), -1, -1):
        if quiet == numbers.cooldown_decay_s:
            remembered, quiet = max(0, remembered - 1), 0
        for _ in range(seconds.count(second)):
            remembered, quiet = remembered + 1, 0
        quiet += 1
    if remembered < 2:
        return None
    needed_s = numbers.cooldown_s
    for _ in range(remembered - 2):
        needed_s = min(2 * needed_s, numbers.cooldown_max_s)
    return "cooldown" if seconds[-1] < needed_s else None


@given(
    st.lists(st.integers(-60, 60), max_size=12),
    st.integers(1, 8),
    st.integers(1, 60),
    st.integers(0, 4),
    st.integers(4, 40),
    st.integers(1, 15),
)
def test_the_oracle_agrees(
    rollbacks: list[int], budget: int, budget_s: int, first_s: int, max_s: int, decay_s: int
) -> None:
    numbers = rules(
        rollback_budget=budget,
        rollback_budget_s=budget_s,
        cooldown_s=first_s,
        cooldown_max_s=max_s,
        cooldown_decay_s=decay_s,
    )
    times = ago(*rollbacks)
    assert rollback_limit(times, NOW, numbers) == oracle(times, NOW, numbers)
