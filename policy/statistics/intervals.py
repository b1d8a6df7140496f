"""Confidence intervals of a success rate, and of the difference of two success rates."""

from math import sqrt
from typing import Final

METHOD: Final = "Newcombe's hybrid score interval (method 10)"
CONFIDENCE: Final = 0.95
_Z: Final = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def wilson(successes: int, executions: int) -> tuple[float, float]:
    """Return Wilson's score interval (95 %) of a success rate. ``executions`` is at least 1.

    E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, Journal of
    the American Statistical Association 22 (1927).
    """
    rate = successes / executions
    z2 = _Z * _Z
    middle = (rate + z2 / (2 * executions)) / (1 + z2 / executions)
    half = sqrt(rate * (1 - rate) / executions + z2 / (4 * executions**2))
    reach = _Z * half / (1 + z2 / executions)
    # Exact at the ends, where rounding would leave the rate itself outside of the interval.
    return (middle - reach if successes else 0.0, middle + reach if successes < executions else 1.0)


def newcombe(
    successes_before: int, executions_before: int, successes_after: int, executions_after: int
) -> tuple[float, float]:
    """Return the 95 % interval of the success rate after minus the success rate before.

    For independent executions, at least one on each side. R. G. Newcombe, Interval estimation for
    the difference between independent proportions, Statistics in Medicine 17 (1998), method 10,
    without continuity correction.
    """
    before, after = successes_before / executions_before, successes_after / executions_after
    low_before, high_before = wilson(successes_before, executions_before)
    low_after, high_after = wilson(successes_after, executions_after)
    change = after - before
    return (
        change - sqrt((after - low_after) ** 2 + (high_before - before) ** 2),
        change + sqrt((high_after - after) ** 2 + (before - low_before) ** 2),
    )
