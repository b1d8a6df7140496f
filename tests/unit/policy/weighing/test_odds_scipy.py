"""The odds of the tests against scipy's distributions.

Only what runs a test imports scipy: each process collects this file, and scipy takes seconds.
"""

from itertools import pairwise
from math import log
from random import Random

import pytest

from policy.state.evidence import Baseline
from policy.weighing.betting_tables import (
    BREAK_BETS,
    RATE_BETS,
    SIGNATURE_BETS,
    SIGNATURE_LEVELS,
    Bet,
    ExpectedRates,
    betting_tables_of,
)
from policy.weighing.weighing import weigh
from tests.support.policy.outcomes import POLICY, evidence_of

pytestmark = pytest.mark.exhaustive


def drawn(random: Random, rates: tuple[float, float], executions: int) -> str:
    """Draw outcomes by the failure rates after a success and after a failure.

    S succeeded, F failed, T failed with a signature error.
    """
    outcomes, failed = "", False
    for _ in range(executions):
        failed = random.random() < rates[failed]
        outcomes += random.choice("FFT") if failed else "S"
    return outcomes


CASES = [
    (baseline, rates, executions)
    for baseline in (None, Baseline(12, 0, 0, 0, 0), Baseline(500, 50, 5, 50, 20))
    for rates in ((0.02, 0.5), (0.15, 0.15), (0.4, 0.9))
    for executions in (1, 20, 400, 3_000)
]


@pytest.mark.parametrize(("baseline", "rates", "executions"), CASES, ids=str)
def test_odds_are_ratios_of_binomial_likelihoods(
    baseline: Baseline | None, rates: tuple[float, float], executions: int
) -> None:
    """For each bet and level, of the failures after a success and of those after a failure.

    As logarithms, because the likelihoods of thousands of executions are tiny.
    """
    outcomes = drawn(Random(f"{baseline} {rates}"), rates, executions)
    failed = [outcome != "S" for outcome in outcomes]
    after = [later for before, later in pairwise([False, *failed]) if not before]
    again = [later for before, later in pairwise(failed) if before]
    signature = [outcome == "T" for outcome in outcomes]
    tables = betting_tables_of(baseline, POLICY)
    weighed = weigh(evidence_of(outcomes, baseline), baseline, POLICY)

    by_rate = min(
        log(level.factor) + log_mixture(RATE_BETS, table.expected, after, again)
        for level, table in zip(POLICY.rate_levels, tables.rate, strict=True)
    )
    by_signature = min(
        log(factor) + log_mixture(SIGNATURE_BETS, table.expected, signature, [])
        for (_, factor), table in zip(SIGNATURE_LEVELS, tables.signature, strict=True)
    )
    assert log(weighed.rate.odds) == pytest.approx(min(by_rate, 690), rel=1e-9, abs=1e-9)
    assert log(weighed.signature.odds) == pytest.approx(min(by_signature, 690), rel=1e-9, abs=1e-9)


def log_mixture(
    bets: tuple[Bet, ...], expected: ExpectedRates, after: list[bool], again: list[bool]
) -> float:
    ratios = [
        log_ratio(after, expected.failure_rate, bet.lost)
        + log_ratio(again, expected.repeat_rate, bet.lost_after_failure)
        for bet in bets
    ]
    return log_sum(ratios, [bet.weight for bet in bets])


def log_sum(logarithms: list[float], weights: list[float] | None = None) -> float:
    """Return the logarithm of the (weighted) sum of what these are the logarithms of."""
    from scipy.special import logsumexp

    return float(logsumexp(logarithms, b=weights))


def log_ratio(failed: list[bool], rate: float, lost: float) -> float:
    """Return the log likelihood if this share of the successes fails, minus that at the rate."""
    from scipy.stats import binom

    number, failures = len(failed), sum(failed)
    under_bet = binom.logpmf(failures, number, rate + lost * (1 - rate))
    return float(under_bet - binom.logpmf(failures, number, rate))


@pytest.mark.parametrize("rates", [(0.02, 0.5), (0.15, 0.15), (0.4, 0.9)], ids=str)
def test_the_break_is_the_sum_over_all_possible_beginnings(rates: tuple[float, float]) -> None:
    """Not by recursion: for each execution, the odds of a break that began there."""
    baseline = Baseline(500, 50, 5, 50, 20)
    outcomes = drawn(Random(f"{rates}"), rates, 60)
    expected = betting_tables_of(baseline, POLICY).break_expected
    failed = [outcome != "S" for outcome in outcomes]
    odds = []
    for begin in range(len(failed)):
        pairs = list(pairwise([False, *failed]))[begin:]
        after = [later for before, later in pairs if not before]
        again = [later for before, later in pairs if before]
        odds.append(log_mixture(BREAK_BETS, expected, after, again))
    weighed = weigh(evidence_of(outcomes, baseline), baseline, POLICY)
    assert log(weighed.at_break.odds) == pytest.approx(log_sum(odds), rel=1e-9, abs=1e-9)
