"""The statistics against scipy's; and by enumeration what the tests of evidence cost at most."""

from collections.abc import Callable
from copy import copy
from itertools import pairwise
from math import log
from random import Random
from typing import NamedTuple

import pytest
from scipy.special import logsumexp
from scipy.stats import beta, binom, binomtest

from policy.decision.betting_tables import (
    BREAK_BETS,
    RATE_BETS,
    SIGNATURE_BETS,
    SIGNATURE_LEVELS,
    Bet,
    EvidenceNumbers,
    ExpectedRates,
    betting_tables_of,
)
from policy.decision.weighing import WeighedEvidence, weigh
from policy.state.evidence import Baseline, Evidence
from policy.statistics.bounds import lower_bound, upper_bound
from policy.statistics.intervals import wilson
from schemas.rules import Rules

POLICY = EvidenceNumbers.of(Rules())
SIZES = (1, 2, 3, 7, 10, 30, 99, 500, 2_000, 10_000, 100_000, 1_000_000)
CONFIDENCES = (0.7, 0.8, 0.9, 0.95, 0.99, 0.995, 0.9995)


def counts_of(executions: int) -> list[int]:
    """From none to all, close together at both ends."""
    few = {number for number in (0, 1, 2, 5, 20) if number <= executions}
    middle = {executions * part // 100 for part in (1, 3, 10, 25, 50, 80)}
    return sorted(few | middle | {executions - number for number in few})


# ------------------------------------------------------------------------------------------------
# Bounds and intervals
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executions", SIZES)
def test_bounds_are_quantiles_of_the_beta_distribution(executions: int) -> None:
    """To the nine digits that they have, and rounded to the careful side."""
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
    for successes in counts_of(executions):
        theirs = binomtest(successes, executions).proportion_ci(0.95, method="wilson")
        assert wilson(successes, executions) == pytest.approx(
            (theirs.low, theirs.high), rel=1e-9, abs=1e-12
        )


# ------------------------------------------------------------------------------------------------
# Odds
# ------------------------------------------------------------------------------------------------


def drawn(random: Random, rates: tuple[float, float], executions: int) -> str:
    """S succeeded, F failed, T failed with a signature error; rates of failures after a success
    and after a failure.
    """
    outcomes, failed = "", False
    for _ in range(executions):
        failed = random.random() < rates[failed]
        outcomes += random.choice("FFT") if failed else "S"
    return outcomes


def evidence_of(outcomes: str, baseline: Baseline | None) -> Evidence:
    evidence = Evidence()
    for outcome in outcomes:
        count(evidence, outcome, baseline)
    return evidence


def count(evidence: Evidence, outcome: str, baseline: Baseline | None) -> None:
    if outcome == "S":
        evidence.add_success()
    else:
        evidence.add_failure(outcome == "T", betting_tables_of(baseline, POLICY).break_bets)


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
    """Of how many failed after a success and of how many failed after a failure, by bet and level;
    as logarithms, for the likelihoods of thousands are small.
    """
    outcomes = drawn(Random(f"{baseline} {rates}"), rates, executions)
    failed = [outcome != "S" for outcome in outcomes]
    after = [later for before, later in pairwise([False, *failed]) if not before]
    again = [later for before, later in pairwise(failed) if before]
    signature = [outcome == "T" for outcome in outcomes]
    tables = betting_tables_of(baseline, POLICY)
    weighed = weigh(evidence_of(outcomes, baseline), baseline, POLICY)

    by_rate = min(
        log(level.factor) + log_mixture(RATE_BETS, side.expected, after, again)
        for level, side in zip(POLICY.rate_levels, tables.rate, strict=True)
    )
    by_signature = min(
        log(factor) + log_mixture(SIGNATURE_BETS, side.expected, signature, [])
        for (_, factor), side in zip(SIGNATURE_LEVELS, tables.signature, strict=True)
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
    return float(logsumexp(ratios, b=[bet.weight for bet in bets]))


def log_ratio(failed: list[bool], rate: float, lost: float) -> float:
    """Of the likelihood where this share of the successes is lost to the one at the rate."""
    number, failures = len(failed), sum(failed)
    under_bet = binom.logpmf(failures, number, rate + lost * (1 - rate))
    return float(under_bet - binom.logpmf(failures, number, rate))


@pytest.mark.parametrize("rates", [(0.02, 0.5), (0.15, 0.15), (0.4, 0.9)], ids=str)
def test_the_break_is_the_sum_over_all_its_beginnings(rates: tuple[float, float]) -> None:
    """Not by its recursion: for each execution the odds of a break that began there."""
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
    assert log(weighed.at_break.odds) == pytest.approx(float(logsumexp(odds)), rel=1e-9, abs=1e-9)


# ------------------------------------------------------------------------------------------------
# What the odds cost: all sequences of so many executions, each with its probability
# ------------------------------------------------------------------------------------------------

LENGTH = 12
LIMITS = (2, 10, 100)
BASELINES = [
    None,
    Baseline(10, 1, 0, 1, 0),
    Baseline(30, 6, 2, 6, 3),
    Baseline(100, 10, 0, 10, 1),
    Baseline(500, 250, 25, 250, 125),
]


class Price(NamedTuple):
    """Of one test."""

    means: list[float]
    """Of the odds, after one execution, after two and so on."""
    condemns: list[float]
    """The probability that they ever were at each of ``LIMITS``."""


class Path(NamedTuple):
    probability: float
    evidence: Evidence
    greatest: float
    """Of the odds so far."""


def price_of(
    odds_of: Callable[[WeighedEvidence], float],
    baseline: Baseline | None,
    failure: str,
    rates: tuple[float, float],
) -> Price:
    """For a version that fails, in this way, at these rates after a success and after a failure."""
    paths, means = [Path(1.0, Evidence(), 0.0)], []
    for _ in range(LENGTH):
        longer, mean = [], 0.0
        for path in paths:
            rate = rates[path.evidence.last_failed]
            for outcome, chance in ((failure, rate), ("S", 1 - rate)):
                evidence, probability = copy(path.evidence), path.probability * chance
                count(evidence, outcome, baseline)
                odds = odds_of(weigh(evidence, baseline, POLICY))
                longer.append(Path(probability, evidence, max(path.greatest, odds)))
                mean += probability * odds
        paths = longer
        means.append(mean)
    assert sum(path.probability for path in paths) == pytest.approx(1)
    condemns = [sum(p.probability for p in paths if p.greatest >= limit) for limit in LIMITS]
    return Price(means, condemns)


def assert_costs_at_most(price: Price, factor: float) -> None:
    assert max(price.means) <= factor * (1 + 1e-9)
    for limit, probability in zip(LIMITS, price.condemns, strict=True):
        assert probability <= factor / limit * (1 + 1e-9)


@pytest.mark.parametrize("share", [1.0, 0.6])
@pytest.mark.parametrize("baseline", BASELINES, ids=str)
def test_whoever_fails_as_a_level_expects_pays_no_more_than_its_factor(
    baseline: Baseline | None, share: float
) -> None:
    """Or at a ``share`` of that: the mean of the odds is at most the factor, at every length, and
    they ever reach n with a probability of at most the factor over n.
    """
    for level, side in zip(
        POLICY.rate_levels, betting_tables_of(baseline, POLICY).rate, strict=True
    ):
        rates = (side.expected.failure_rate * share, side.expected.repeat_rate * share)
        price = price_of(lambda weighed: weighed.rate.odds, baseline, "F", rates)
        assert_costs_at_most(price, level.factor)


@pytest.mark.parametrize("share", [1.0, 0.6])
@pytest.mark.parametrize("baseline", BASELINES, ids=str)
def test_signature_errors_cost_as_much(baseline: Baseline | None, share: float) -> None:
    sides = betting_tables_of(baseline, POLICY).signature
    for (_, factor), side in zip(SIGNATURE_LEVELS, sides, strict=True):
        rate = side.expected.failure_rate * share
        price = price_of(lambda weighed: weighed.signature.odds, baseline, "T", (rate, rate))
        assert_costs_at_most(price, factor)


@pytest.mark.parametrize("share", [1.0, 0.6])
@pytest.mark.parametrize("baseline", BASELINES, ids=str)
def test_a_break_costs_one_for_each_execution(baseline: Baseline | None, share: float) -> None:
    """Where all fail as expected exactly so much: then the enumeration itself is right."""
    expected = betting_tables_of(baseline, POLICY).break_expected
    rates = (expected.failure_rate * share, expected.repeat_rate * share)
    price = price_of(lambda weighed: weighed.at_break.odds, baseline, "F", rates)
    for number, mean in enumerate(price.means, 1):
        assert mean == pytest.approx(number) if share == 1 else mean < number
    for limit, probability in zip(LIMITS, price.condemns, strict=True):
        assert probability <= LENGTH / limit


def test_without_a_baseline_the_price_is_exactly_the_stake() -> None:
    """All levels expect the same then, and the first one decides."""
    expected = betting_tables_of(None, POLICY).rate[0].expected
    rates = (expected.failure_rate, expected.repeat_rate)
    price = price_of(lambda weighed: weighed.rate.odds, None, "F", rates)
    assert price.means == pytest.approx([1.0] * LENGTH)
    assert 0.001 < price.condemns[-1] <= 1 / LIMITS[-1]
