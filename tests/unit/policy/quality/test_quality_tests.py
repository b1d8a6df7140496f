"""The quality tests against exact fractions, and against all sequences of some answers."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.statistics.bounds import upper_bound
from policy.weighing.betting_tables import Bet, ExpectedRates
from policy.weighing.quality_tests import (
    JUDGED_BAD_BETS,
    LEVELS,
    TAIL_BETS,
    QualityTest,
    Share,
)
from policy.weighing.weighing import KindCounts
from schemas.rollback import QualityReason
from tests.support.policy.exact_odds import mixture_of

pytestmark = pytest.mark.exhaustive

BETS: dict[QualityReason, tuple[Bet, ...]] = {
    "judged_bad": JUDGED_BAD_BETS,
    "slower": TAIL_BETS,
    "costlier": TAIL_BETS,
}
shares = st.integers(1, 200).flatmap(
    lambda asked: st.builds(Share, st.just(asked), st.integers(0, asked))
)
answers = st.text(st.sampled_from("SSSF"), max_size=40)


def make(reason: QualityReason, seen: str, baseline: Share | None) -> QualityTest:
    """Return the test after these answers: F is a yes, S a no."""
    pairs = ["".join(pair) for pair in pairwise("S" + seen)]
    if reason == "judged_bad":
        counts = KindCounts(seen.count("S"), 0, seen.count("F"), 0)
        return QualityTest(reason, counts, baseline, 1.0, 0.01, None)
    counts = KindCounts(*(pairs.count(pair) for pair in ("SS", "FS", "SF", "FF")))
    return QualityTest(reason, counts, baseline, 1.25, 0.01, None)


def expected_at(reason: QualityReason, baseline: Share, confidence: float) -> ExpectedRates:
    rate = upper_bound(baseline.found, baseline.asked, confidence)
    if reason == "judged_bad":
        return ExpectedRates(confidence, rate, rate)
    rate = min(rate * 1.25, 1.0)
    return ExpectedRates(confidence, rate, max(rate, 0.8))


@given(st.sampled_from(list(BETS)), answers, shares)
def test_odds_are_the_product_of_likelihood_ratios(
    reason: QualityReason, seen: str, baseline: Share
) -> None:
    test = make(reason, seen, baseline)
    odds = float(
        min(
            Fraction(factor) * mixture_of(seen, BETS[reason], expected_at(reason, baseline, level))
            for level, factor in LEVELS
        )
    )
    assert test.against(baseline).odds == pytest.approx(odds, rel=1e-9)
    assert test.condemns == (odds >= 100) or odds == pytest.approx(100, rel=1e-9)
    assert test.share_of_limit == pytest.approx(odds / 100, rel=1e-9)


@given(st.sampled_from(list(BETS)), answers)
def test_without_a_baseline_nothing_is_said(reason: QualityReason, seen: str) -> None:
    test = make(reason, seen, None)
    assert not test.condemns
    assert test.share_of_limit == 0


@given(st.sampled_from(list(BETS)), answers, shares)
def test_a_no_lowers_the_odds_and_a_yes_raises_them(
    reason: QualityReason, seen: str, baseline: Share
) -> None:
    odds = make(reason, seen, baseline).share_of_limit
    assert make(reason, seen + "S", baseline).share_of_limit <= odds * (1 + 1e-12)
    assert make(reason, seen + "F", baseline).share_of_limit >= odds * (1 - 1e-12)


LENGTH = 10


@pytest.mark.parametrize("reason", ["judged_bad", "slower"])
@pytest.mark.parametrize("baseline", [Share(30, 1), Share(100, 10), Share(40, 20)])
def test_the_odds_are_paid_for_in_advance(reason: QualityReason, baseline: Share) -> None:
    """At the rates that the lowest level expects, odds of n to 1 are reached at most once in n."""
    expected = expected_at(reason, baseline, LEVELS[0][0])
    reached = dict.fromkeys((2, 10, 100), 0.0)
    paths = {("", 0.0): 1.0}
    for _ in range(LENGTH):
        longer: dict[tuple[str, float], float] = {}
        for (seen, greatest), chance in paths.items():
            rate = expected.repeat_rate if seen.endswith("F") else expected.failure_rate
            for answer, share in (("F", rate), ("S", 1 - rate)):
                odds = make(reason, seen + answer, baseline).share_of_limit * 100
                longer[seen + answer, max(greatest, odds)] = chance * share
        paths = longer
    for (_, greatest), chance in paths.items():
        for limit in reached:
            reached[limit] += chance * (greatest >= limit)
    assert all(share <= 1 / limit for limit, share in reached.items())
    assert reached[2] > 0


@pytest.mark.parametrize("bets", [JUDGED_BAD_BETS, TAIL_BETS])
def test_the_whole_stake_is_bet(bets: tuple[Bet, ...]) -> None:
    assert sum(bet.weight for bet in bets) == pytest.approx(1)
