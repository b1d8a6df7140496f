"""Clopper and Pearson's bounds of a rate, by quantiles of the beta distribution.

The use of confidence or fiducial limits, Biometrika 26, 1934.
"""

from functools import lru_cache
from math import ceil, exp, floor, lgamma, log, log1p


def upper_bound(found: int, executions: int, confidence: float) -> float:
    """Return the one-sided upper bound of a rate that was seen ``found`` times.

    It is the rate at which ``found`` or fewer have a probability of 1 - ``confidence``, rounded up
    to nine digits, so that the last bit of a machine's logarithm decides nothing. 1 without
    executions.
    """
    if found >= executions:
        return 1.0
    return min(ceil(_beta_quantile(found + 1, executions - found, confidence) * 1e9) / 1e9, 1.0)


def lower_bound(found: int, executions: int, confidence: float) -> float:
    """Return the one-sided lower bound, rounded down; 0 without executions."""
    if found <= 0:
        return 0.0
    return floor(_beta_quantile(found, executions - found + 1, 1 - confidence) * 1e9) / 1e9


@lru_cache(maxsize=4096)
def _beta_quantile(a: int, b: int, probability: float) -> float:
    """Return a quantile of the beta distribution, by Newton's steps.

    If a step leaves the interval that is known to hold the quantile, the interval is halved.
    """
    low, high, x = 0.0, 1.0, a / (a + b)
    for _ in range(200):
        below = _incomplete_beta(a, b, x)
        if below < probability:
            low = x
        else:
            high = x
        density = exp(_log_density_factor(a, b, x)) / (x * (1.0 - x))
        before, x = x, x - (below - probability) / density if density > 0 else low
        if not low < x < high:
            x = (low + high) / 2
        if abs(x - before) < 1e-13:
            break
    return x


def _log_density_factor(a: int, b: int, x: float) -> float:
    """Return the logarithm of x**a * (1 - x)**b / B(a, b)."""
    return lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)


def _incomplete_beta(a: int, b: int, x: float) -> float:
    """Return the distribution function of the beta distribution, for x in (0, 1).

    By its continued fraction, on the side on which that converges quickly (Abramowitz and Stegun,
    26.5.8).
    """
    front = exp(_log_density_factor(a, b, x))
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(a, b, x) / a
    return 1.0 - front * _continued_fraction(b, a, 1.0 - x) / b


def _continued_fraction(a: int, b: int, x: float) -> float:
    """Return the continued fraction by Lentz's method, in about sqrt(a + b) steps at most."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / ((1.0 - (a + b) * x / (a + 1)) or tiny)
    value = d
    for step in range(1, 100_000):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            d = 1.0 / ((1.0 + term * d) or tiny)
            c = (1.0 + term / c) or tiny
            value *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return value
