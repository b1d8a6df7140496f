"""The odds of the statistical tests as exact fractions, computed execution by execution."""

from fractions import Fraction

from policy.weighing.betting_tables import BREAK_BETS, Bet, ExpectedRates


def factor(bet: Bet, expected: ExpectedRates, failed: bool, after_failure: bool) -> Fraction:
    """Return the likelihood of one outcome if the bet is right, divided by the expected one."""
    null = Fraction(expected.repeat_rate if after_failure else expected.failure_rate)
    lost = Fraction(bet.lost_after_failure if after_failure else bet.lost)
    under_bet = null + lost * (1 - null)
    return under_bet / null if failed else (1 - under_bet) / (1 - null) if null < 1 else 1 - lost


def product_of(log: str, bet: Bet, expected: ExpectedRates, failures: str = "FT") -> Fraction:
    """Return the odds of one bet after this log: the product of the factors of all outcomes."""
    won, before = Fraction(1), False
    for outcome in log:
        failed = outcome in failures
        won *= factor(bet, expected, failed, before)
        before = failed
    return won


def mixture_of(
    log: str, bets: tuple[Bet, ...], expected: ExpectedRates, failures: str = "FT"
) -> Fraction:
    """Return the weighted sum of the odds of several bets after this log."""
    return sum(
        (Fraction(bet.weight) * product_of(log, bet, expected, failures) for bet in bets),
        Fraction(0),
    )


def break_of(log: str, expected: ExpectedRates) -> Fraction:
    """Return the odds of a break: the sum over all outcomes at which it may have begun."""
    total = Fraction(0)
    for bet in BREAK_BETS:
        won, before = Fraction(0), False
        for outcome in log:
            failed = outcome != "S"
            won = (won + 1) * factor(bet, expected, failed, before)
            before = failed
        total += Fraction(bet.weight) * won
    return total
