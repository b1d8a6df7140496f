"""What the odds cost at most: all sequences of some executions, each with its probability."""

from collections.abc import Callable
from copy import copy
from typing import NamedTuple

import pytest

from policy.state.evidence import Baseline, Evidence
from policy.weighing.betting_tables import SIGNATURE_LEVELS, betting_tables_of
from policy.weighing.weighing import WeighedEvidence, weigh
from tests.support.cases import THOROUGH
from tests.support.policy.outcomes import POLICY

pytestmark = pytest.mark.exhaustive


def count(evidence: Evidence, outcome: str, baseline: Baseline | None) -> None:
    if outcome == "S":
        evidence.add_success()
    else:
        evidence.add_failure(outcome == "T", betting_tables_of(baseline, POLICY).break_bets)


LENGTH = 12 if THOROUGH else 10
LIMITS = (2, 10, 100)
BASELINES = [
    None,
    Baseline(10, 1, 0, 1, 0),
    Baseline(30, 6, 2, 6, 3),
    Baseline(100, 10, 0, 10, 1),
    Baseline(500, 250, 25, 250, 125),
]


class Price(NamedTuple):
    """What the odds of one test come to."""

    means: list[float]
    """The mean odds after one execution, after two, and so on."""
    condemns: list[float]
    """For each of ``LIMITS``, the probability that the odds ever reached it."""


class Path(NamedTuple):
    probability: float
    evidence: Evidence
    greatest: float
    """The greatest odds so far."""


def price_of(
    odds_of: Callable[[WeighedEvidence], float],
    baseline: Baseline | None,
    failure: str,
    rates: tuple[float, float],
) -> Price:
    """Return the price for a version that fails at these rates after a success and a failure."""
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
def test_a_version_that_fails_as_expected_pays_at_most_the_factor_of_the_level(
    baseline: Baseline | None, share: float
) -> None:
    """Also one that fails at a ``share`` of the expected rates.

    At every length the mean of the odds is at most the factor. They ever reach n with a
    probability of at most the factor over n.
    """
    for level, table in zip(
        POLICY.rate_levels, betting_tables_of(baseline, POLICY).rate, strict=True
    ):
        rates = (table.expected.failure_rate * share, table.expected.repeat_rate * share)
        price = price_of(lambda weighed: weighed.rate.odds, baseline, "F", rates)
        assert_costs_at_most(price, level.factor)


@pytest.mark.parametrize("share", [1.0, 0.6])
@pytest.mark.parametrize("baseline", BASELINES, ids=str)
def test_signature_errors_cost_at_most_the_factor_too(
    baseline: Baseline | None, share: float
) -> None:
    tables = betting_tables_of(baseline, POLICY).signature
    for (_, factor), table in zip(SIGNATURE_LEVELS, tables, strict=True):
        rate = table.expected.failure_rate * share
        price = price_of(lambda weighed: weighed.signature.odds, baseline, "T", (rate, rate))
        assert_costs_at_most(price, factor)


@pytest.mark.parametrize("share", [1.0, 0.6])
@pytest.mark.parametrize("baseline", BASELINES, ids=str)
def test_a_break_costs_one_for_each_execution(baseline: Baseline | None, share: float) -> None:
    """With a share of 1 exactly so much, which shows that the enumeration itself is right."""
    expected = betting_tables_of(baseline, POLICY).break_expected
    rates = (expected.failure_rate * share, expected.repeat_rate * share)
    price = price_of(lambda weighed: weighed.at_break.odds, baseline, "F", rates)
    for number, mean in enumerate(price.means, 1):
        assert mean == pytest.approx(number) if share == 1 else mean < number
    for limit, probability in zip(LIMITS, price.condemns, strict=True):
        assert probability <= LENGTH / limit


def test_without_a_baseline_the_price_is_exactly_one() -> None:
    """All levels expect the same rates then, and the first one decides."""
    expected = betting_tables_of(None, POLICY).rate[0].expected
    rates = (expected.failure_rate, expected.repeat_rate)
    price = price_of(lambda weighed: weighed.rate.odds, None, "F", rates)
    assert price.means == pytest.approx([1.0] * LENGTH)
    assert 0.001 < price.condemns[-1] <= 1 / LIMITS[-1]
