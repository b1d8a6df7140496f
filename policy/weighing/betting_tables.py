"""The betting tables of the three tests: what each bet wins by each kind of execution.

A *bet* is an alternative to 'this version fails no more often than its baseline version': of the
successes that were expected, a share fails. A table holds, for one test and one confidence level,
what every bet wins by a success and by a failure, as logarithms. A version's counts multiplied by
the table give the odds against it (``policy/weighing/weighing.py``). The numbers that were chosen,
what they achieve and what else was tried: ``docs/decisions/0010-evidence.md``.
"""

from functools import lru_cache
from math import log, log1p
from typing import Final, NamedTuple, Self

from policy.state.evidence import Baseline, BreakBets
from policy.statistics.bounds import lower_bound, upper_bound
from schemas.rules.rules import Rules


class Level(NamedTuple):
    """A confidence level at which bounds stand for the rates of the baseline version.

    A bound of greater confidence is wrong less often, so evidence against it may weigh ``factor``
    times as much.
    """

    confidence: float
    """That the baseline's failure rate after a success is below its bound."""
    repeat_confidence: float
    """That its failure rate after a failure lies between its bounds, for each side."""
    factor: float


RATE_LEVELS: Final = (
    Level(0.80, 0.70, 1.0),
    Level(0.95, 0.80, 4.0),
    Level(0.99, 0.90, 12.0),
)
"""Of the test of the rate, the least confidence first."""
SIGNATURE_LEVELS: Final = ((0.80, 1.0), (0.95, 4.0), (0.995, 15.0), (0.9995, 50.0))
"""Of the test of signature errors: confidence and factor."""
MOST_SIGNATURE_ALPHA: Final = 0.5
"""The greatest risk for the signature errors of a version that breaks calls."""
BREAK_LEVEL: Final = Level(0.90, 0.90, 1.0)
"""Of the test for a break."""


class EvidenceNumbers(NamedTuple):
    """The settings of the three tests (``schemas.rules.rules.Rules`` says what each means)."""

    alpha: float
    signature_alpha: float
    false_alarm_executions: float
    baseline_executions: int
    assumed_success_rate: float
    assumed_repeat_rate: float
    tolerated_drop: float
    rate_levels: tuple[Level, ...] = RATE_LEVELS

    @classmethod
    def of(cls, rules: Rules) -> Self:
        """Return the numbers as the rules of a tool set them."""
        return cls(
            alpha=rules.alpha,
            signature_alpha=rules.signature_alpha,
            false_alarm_executions=rules.false_alarm_executions,
            baseline_executions=rules.baseline_executions,
            assumed_success_rate=rules.assumed_success_rate,
            assumed_repeat_rate=rules.assumed_repeat_rate,
            tolerated_drop=rules.tolerated_drop,
        )

    @classmethod
    def of_breaking(cls, rules: Rules) -> Self:
        """Return the numbers for a version that breaks calls.

        It is more probable that it fails by signature errors. So their odds need not be as great:
        the limit is divided by ``breaking_factor``, as if these were odds from the beginning.
        """
        numbers = cls.of(rules)
        alpha = min(numbers.signature_alpha * rules.breaking_factor, MOST_SIGNATURE_ALPHA)
        return numbers._replace(signature_alpha=max(alpha, numbers.signature_alpha))


class Bet(NamedTuple):
    """An alternative: this share of the expected successes fails."""

    weight: float
    """The share of the stake that is put on this bet."""
    lost: float
    """The share of the successes that fails after a success."""
    lost_after_failure: float
    """The share of the successes that fails after a failure."""


RATE_BETS: Final = (
    Bet(0.30, 1.0, 1.0),
    Bet(0.15, 0.6, 0.6),
    Bet(0.20, 0.4, 0.2),
    Bet(0.20, 0.2, 0.1),
    Bet(0.15, 0.15, 0.0),
)
"""A third of the stake bets on a total break. The last bet looks only at failures after a success:
so a lasting drop shows even if little is known about how failures follow one another."""
SIGNATURE_BETS: Final = (Bet(0.25, 1.0, 1.0), Bet(0.50, 0.5, 0.5), Bet(0.25, 0.2, 0.2))
BREAK_BETS: Final = (Bet(0.60, 1.0, 1.0), Bet(0.20, 0.7, 0.7), Bet(0.20, 0.4, 0.4))
BREAK_LOST: Final = tuple(bet.lost for bet in BREAK_BETS)
"""``lost`` of each bet of the test for a break."""

_LOG_ZERO: Final = -1e9
"""Stands for the logarithm of 0: its exponential is 0, and multiplied by 0 it is 0."""


class ExpectedRates(NamedTuple):
    """The failure rates that a version may have, at one level: bounds of the baseline's rates."""

    confidence: float | None
    """None if the rates are assumed, because too little is known of the baseline version."""
    failure_rate: float
    """After a success, and at the first execution."""
    repeat_rate: float
    """After a failure."""

    @property
    def success_rate(self) -> float:
        """The success rate of all executions in the long run, if the two rates are as these."""
        return (1 - self.repeat_rate) / (1 - self.repeat_rate + self.failure_rate)


class BetLogarithms(NamedTuple):
    """The logarithms of one bet: of its weight, and of the factor for each kind of execution."""

    weight: float
    success: float
    """By a success after a success."""
    success_after_failure: float
    failure: float
    """By a failure after a success."""
    failure_after_failure: float


class LevelTable(NamedTuple):
    """One test at one level."""

    expected: ExpectedRates
    log_factor: float
    """The logarithm of the level's factor."""
    bets: tuple[BetLogarithms, ...]


class BettingTables(NamedTuple):
    """The tables of all three tests for one baseline."""

    rate: tuple[LevelTable, ...]
    signature: tuple[LevelTable, ...]
    break_expected: ExpectedRates
    break_bets: BreakBets
    has_baseline: bool
    """Whether enough is known of the baseline version; otherwise the rates are assumed."""


@lru_cache(maxsize=4096)
def betting_tables_of(baseline: Baseline | None, numbers: EvidenceNumbers) -> BettingTables:
    """Return the tables of an activation, whose baseline does not change while it lasts.

    The first call for a baseline takes about a millisecond.
    """
    is_known = baseline is not None and baseline.executions >= numbers.baseline_executions
    known = baseline if is_known else None
    at_break = _expected_rates(known, BREAK_LEVEL, numbers)
    return BettingTables(
        tuple(
            level_table(_expected_rates(known, level, numbers), level.factor, RATE_BETS)
            for level in numbers.rate_levels
        ),
        tuple(
            level_table(
                _expected_signature_errors(known, confidence, numbers), factor, SIGNATURE_BETS
            )
            for confidence, factor in SIGNATURE_LEVELS
        ),
        at_break,
        BreakBets(
            BREAK_LOST,
            tuple(_gain(bet.lost, at_break.failure_rate) for bet in BREAK_BETS),
            tuple(_gain(bet.lost_after_failure, at_break.repeat_rate) for bet in BREAK_BETS),
        ),
        known is not None,
    )


def _expected_rates(
    known: Baseline | None, level: Level, numbers: EvidenceNumbers
) -> ExpectedRates:
    """Return the rates that are expected at this level.

    After a failure, the assumed repeat rate counts as far as the baseline's executions allow it;
    and another failure is never expected to be less probable than after a success.
    """
    drop = numbers.tolerated_drop
    if known is None:
        failure_rate, repeat_rate, confidence = (
            1 - numbers.assumed_success_rate,
            numbers.assumed_repeat_rate,
            None,
        )
    else:
        after_failure, repeats = known.after_failure, known.failures_after_failure
        failure_rate = upper_bound(
            known.failures - repeats, known.executions - after_failure, level.confidence
        )
        most = upper_bound(repeats, after_failure, level.repeat_confidence)
        least = lower_bound(repeats, after_failure, level.repeat_confidence)
        repeat_rate = min(max(numbers.assumed_repeat_rate, least), most)
        confidence = level.confidence
    failure_rate, repeat_rate = failure_rate + drop, max(repeat_rate, failure_rate) + drop
    return ExpectedRates(confidence, min(failure_rate, 1.0), min(repeat_rate, 1.0))


def _expected_signature_errors(
    known: Baseline | None, confidence: float, numbers: EvidenceNumbers
) -> ExpectedRates:
    """Return the expected rate of signature errors; without a baseline any failure may be one."""
    if known is None:
        rate = 1 - numbers.assumed_success_rate
        return ExpectedRates(None, rate, rate)
    rate = upper_bound(known.signature_errors, known.executions, confidence)
    return ExpectedRates(confidence, rate, rate)


def level_table(expected: ExpectedRates, factor: float, bets: tuple[Bet, ...]) -> LevelTable:
    """Return the table of these bets against the expected rates."""
    logarithms = tuple(
        BetLogarithms(
            log(bet.weight),
            _log_of_what_is_kept(bet.lost),
            _log_of_what_is_kept(bet.lost_after_failure),
            log(_gain(bet.lost, expected.failure_rate)),
            log(_gain(bet.lost_after_failure, expected.repeat_rate)),
        )
        for bet in bets
    )
    return LevelTable(expected, log(factor), logarithms)


def _log_of_what_is_kept(lost: float) -> float:
    return log1p(-lost) if lost < 1 else _LOG_ZERO


def _gain(lost: float, failure_rate: float) -> float:
    """Return the factor of a failure: its rate if the bet is right, divided by the expected one."""
    return 1.0 + lost * (1.0 - failure_rate) / failure_rate
