"""Intervals against what their author published."""

from itertools import product

import pytest

from policy.statistics.intervals import newcombe, wilson

PUBLISHED = (
    # R. G. Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0000),
    ((10, 10), (0, 10), 0.6075, 1.0000),
)


@pytest.mark.parametrize(("after", "before", "low", "high"), PUBLISHED)
def test_newcombe_as_published(
    after: tuple[int, int], before: tuple[int, int], low: float, high: float
) -> None:
    assert newcombe(*before, *after) == pytest.approx((low, high), abs=5e-5)
    assert newcombe(*after, *before) == pytest.approx((-high, -low), abs=5e-5)


def test_intervals_contain_the_observed_rate_and_stay_in_bounds() -> None:
    for executions, others in product((1, 2, 9, 50), repeat=2):
        for successes, other in product(range(executions + 1), range(others + 1)):
            low, high = wilson(successes, executions)
            assert 0 <= low <= successes / executions <= high <= 1
            change = successes / executions - other / others
            low, high = newcombe(other, others, successes, executions)
            assert -1 - 1e-12 <= low <= change <= high <= 1 + 1e-12
