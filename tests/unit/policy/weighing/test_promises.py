"""What the tests promise: a version that is no worse wins nothing on average."""

from fractions import Fraction
from itertools import product

import pytest

from policy.weighing.betting_tables import BREAK_BETS, RATE_BETS, SIGNATURE_BETS, Bet, ExpectedRates
from tests.support.policy.exact_odds import break_of, mixture_of


@pytest.mark.parametrize(
    "expected",
    [
        ExpectedRates(None, 0.25, 0.25),
        ExpectedRates(None, 0.25, 0.5),
        ExpectedRates(None, 0.0078125, 0.5),
        ExpectedRates(None, 0.75, 1.0),
    ],
    ids=str,
)
def test_bets_against_a_version_that_is_no_worse_win_at_most_their_stake(
    expected: ExpectedRates,
) -> None:
    """All logs of six executions are enumerated, in fractions.

    Whatever rates at or below the expected ones the version has, the bets win at most 1 on
    average. In the test for a break they win at most 1 for each execution.
    """
    logs = ["".join(log) for log in product("SF", repeat=6)]
    won = {log: mixture_of(log, RATE_BETS, expected) for log in logs}
    won_at_break = {log: break_of(log, expected) for log in logs}
    rates = [Fraction(part, 4) for part in range(5)]
    for after_success, after_failure in product(rates, rates):
        chances = (
            after_success * Fraction(expected.failure_rate),
            after_failure * Fraction(expected.repeat_rate),
        )
        probability = {log: _probability(log, *chances) for log in logs}
        assert sum(probability.values()) == 1
        assert sum(probability[log] * won[log] for log in logs) <= 1
        assert sum(probability[log] * won_at_break[log] for log in logs) <= 6


def _probability(log: str, after_success: Fraction, after_failure: Fraction) -> Fraction:
    result, before = Fraction(1), False
    for outcome in log:
        failed, chance = outcome == "F", after_failure if before else after_success
        result *= chance if failed else 1 - chance
        before = failed
    return result


@pytest.mark.parametrize("bets", [RATE_BETS, SIGNATURE_BETS, BREAK_BETS])
def test_the_weights_of_the_bets_sum_to_one(bets: tuple[Bet, ...]) -> None:
    assert sum(bet.weight for bet in bets) == pytest.approx(1)
    assert all(0 < bet.lost <= 1 and 0 <= bet.lost_after_failure <= bet.lost for bet in bets)
