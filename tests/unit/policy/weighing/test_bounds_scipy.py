"""Bounds and intervals of rates against scipy's.

Only what runs a test imports scipy: each process collects this file, and scipy takes seconds.
"""

import pytest

from policy.statistics.bounds import lower_bound, upper_bound
from policy.statistics.intervals import wilson

pytestmark = pytest.mark.exhaustive

SIZES = (1, 2, 3, 7, 10, 30, 99, 500, 2_000, 10_000, 100_000, 1_000_000)
CONFIDENCES = (0.7, 0.8, 0.9, 0.95, 0.99, 0.995, 0.9995)


def counts_of(executions: int) -> list[int]:
    """From none to all, close together at both ends."""
    few = {number for number in (0, 1, 2, 5, 20) if number <= executions}
    middle = {executions * part // 100 for part in (1, 3, 10, 25, 50, 80)}
    return sorted(few | middle | {executions - number for number in few})


@pytest.mark.parametrize("executions", SIZES)
def test_bounds_are_quantiles_of_the_beta_distribution(executions: int) -> None:
    """To the nine digits that they have, and rounded to the careful side."""
    from scipy.stats import beta

    for found in counts_of(executions):
        for confidence in CONFIDENCES:
            high = upper_bound(found, executions, confidence)
            low = lower_bound(found, executions, confidence)
            if found < executions:
                quantile = beta.ppf(confidence, found + 1, executions - found)
                assert -1e-12 <= high - quantile <= 1.001e-9, (found, confidence)
            else:
                assert high == 1
            if found:
                quantile = beta.ppf(1 - confidence, found, executions - found + 1)
                assert -1e-12 <= quantile - low <= 1.001e-9, (found, confidence)
            else:
                assert low == 0


@pytest.mark.parametrize("executions", SIZES)
def test_bounds_are_the_exact_ones_of_a_binomial_test(executions: int) -> None:
    from scipy.stats import binomtest

    for found in counts_of(executions):
        for confidence in (0.8, 0.99):
            low = binomtest(found, executions, alternative="greater")
            high = binomtest(found, executions, alternative="less")
            assert lower_bound(found, executions, confidence) == pytest.approx(
                low.proportion_ci(confidence, method="exact").low, abs=2e-9
            )
            assert upper_bound(found, executions, confidence) == pytest.approx(
                high.proportion_ci(confidence, method="exact").high, abs=2e-9
            )


@pytest.mark.parametrize("executions", SIZES)
def test_intervals_are_wilsons(executions: int) -> None:
    from scipy.stats import binomtest

    for successes in counts_of(executions):
        theirs = binomtest(successes, executions).proportion_ci(0.95, method="wilson")
        assert wilson(successes, executions) == pytest.approx(
            (theirs.low, theirs.high), rel=1e-9, abs=1e-12
        )
