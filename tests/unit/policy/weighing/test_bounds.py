"""Bounds of a rate against sums of the binomial distribution in fractions."""

from fractions import Fraction
from math import comb

import pytest

from policy.statistics.bounds import lower_bound, upper_bound


@pytest.mark.parametrize("confidence", [0.7, 0.95, 0.9995])
def test_bounds_are_clopper_and_pearsons(confidence: float) -> None:
    """Against sums of the binomial distribution in fractions."""
    miss = 1 - Fraction(confidence)
    for executions in (1, 2, 9, 40, 150):
        for found in {0, 1, executions // 3, executions - 1, executions}:
            high = upper_bound(found, executions, confidence)
            low = lower_bound(executions - found, executions, confidence)
            assert low == pytest.approx(
                1 - high, abs=2.1e-9
            )  # the same, with failures and successes swapped
            if found == executions:
                assert high == 1
                continue
            assert found / executions < high <= 1
            assert _at_most(found, executions, Fraction(high)) <= miss + Fraction(1, 10**12)
            assert _at_most(found, executions, Fraction(high) - Fraction(3, 10**9)) > miss


def _at_most(found: int, executions: int, rate: Fraction) -> Fraction:
    return sum(
        (
            comb(executions, seen) * rate**seen * (1 - rate) ** (executions - seen)
            for seen in range(found + 1)
        ),
        Fraction(0),
    )


def test_bounds_as_known() -> None:
    """For nothing in n it is 1 - miss^(1/n); for half a million, the normal approximation."""
    assert upper_bound(0, 100, 0.95) == pytest.approx(1 - 0.05**0.01, abs=2e-9)
    assert upper_bound(5_000, 500_000, 0.95) == pytest.approx(
        0.01 + 1.645 * (0.01 * 0.99 / 500_000) ** 0.5, abs=5e-6
    )
    assert (upper_bound(0, 0, 0.95), lower_bound(0, 0, 0.95)) == (1, 0)
