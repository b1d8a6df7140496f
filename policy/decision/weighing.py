"""How far what was seen of a version speaks against it, beside what its target did. Pure.

Three tests, each a bet against 'this version fails no more often than its target did', each at a
price that a version which is no worse cannot win on average: however often one looks, at odds of n
to 1 it is wrongly condemned at most once in n (Ville, Étude critique de la notion de collectif,
1939). The numbers chosen, what they reach and what else was tried: docs/decisions/0010-evidence.md.

1. The *rate*, from the first execution on. Failures come in runs, so a failure that follows one is
   held against another rate than one that follows a success: a chain of first order.
2. *Signature errors*, from the first execution on, against the target's share of them.
3. A *break* at any time: a Shiryaev-Roberts detector, which restarts at every execution (Shin,
   Ramdas and Rinaldo, E-detectors, New England Journal of Statistics in Data Science, 2023).

The target's rates are not taken as known: Clopper and Pearson's bounds stand for them (The use of
confidence or fiducial limits, Biometrika 26, 1934), at several levels, of which the most lenient
decides.

What is counted, and how, is in ``policy/state/evidence.py``: it is kept in the row of the tool.
"""

from functools import lru_cache
from math import exp, fsum, log, log1p
from typing import Final, Literal, NamedTuple

from policy.state.evidence import Baseline, BreakBets, Evidence
from policy.statistics.bounds import lower_bound, upper_bound
from schemas.rules import Rules

Test = Literal["rate", "signature", "break"]


class Level(NamedTuple):
    """One of the bounds that stand for the target's rates, and how much less is asked against it.

    A bound at a greater confidence is passed wrongly less often, so evidence against it may weigh
    ``factor`` times as much.
    """

    confidence: float
    """That the target's rate of failures after a success is below its bound."""
    repeat_confidence: float
    """The same of its rate of failures after a failure, on either side."""
    factor: float


class EvidencePolicy(NamedTuple):
    """The numbers of the three tests."""

    alpha: float = 0.01
    """Condemned by its rate at odds of 1/alpha; in (0, 1)."""
    signature_alpha: float = 0.007
    """Condemned by its signature errors at odds of 1/signature_alpha; in (0, 1)."""
    false_alarm_executions: float = 100_000.0
    """Executions between two false alarms of the break, on average at least; greater than 1. Within
    n executions a false alarm has a probability of at most n divided by it."""
    baseline_executions: int = 10
    """With fewer of the target, the assumed rate stands for its rates; at least 1."""
    assumed_success_rate: float = 0.8
    """Of a target of which too little is known; in (0, 1). What is no better than this is not
    protected by any bound."""
    assumed_repeat_rate: float = 0.5
    """How many failures are followed by another one, as far as the target's executions allow it;
    in [0, 1). 0.5 are runs of two on average."""
    tolerated_drop: float = 0.0
    """By how much the rate of success may be below the target's, in [0, 1)."""
    levels: tuple[Level, ...] = (
        Level(0.80, 0.70, 1.0),
        Level(0.95, 0.80, 4.0),
        Level(0.99, 0.90, 12.0),
    )
    """Of the rate; the least confidence first."""


@lru_cache(maxsize=1024)
def policy_of(rules: Rules) -> EvidencePolicy:
    """The numbers of the tests as a tool's rules set them."""
    return EvidencePolicy(
        alpha=rules.alpha,
        signature_alpha=rules.signature_alpha,
        false_alarm_executions=rules.false_alarm_executions,
        baseline_executions=rules.baseline_executions,
        assumed_success_rate=rules.assumed_success_rate,
        assumed_repeat_rate=rules.assumed_repeat_rate,
        tolerated_drop=rules.tolerated_drop,
    )


class Bet(NamedTuple):
    """An alternative: of the successes that were expected, this share fails, after a success and
    after a failure. ``weight`` is the share of the stake.
    """

    weight: float
    lost: float
    lost_after_failure: float


RATE_BETS: Final = (
    Bet(0.30, 1.0, 1.0),
    Bet(0.15, 0.6, 0.6),
    Bet(0.20, 0.4, 0.2),
    Bet(0.20, 0.2, 0.1),
    Bet(0.15, 0.15, 0.0),
)
"""A total break is worth a third of the stake; the last bets on failures after a success alone, so
that a lasting drop shows however little is known of the target's runs."""
SIGNATURE_BETS: Final = (Bet(0.25, 1.0, 1.0), Bet(0.50, 0.5, 0.5), Bet(0.25, 0.2, 0.2))
BREAK_BETS: Final = (Bet(0.60, 1.0, 1.0), Bet(0.20, 0.7, 0.7), Bet(0.20, 0.4, 0.4))
SIGNATURE_LEVELS: Final = ((0.80, 1.0), (0.95, 4.0), (0.995, 15.0), (0.9995, 50.0))
"""Confidence and factor."""
BREAK_LEVEL: Final = Level(0.90, 0.90, 1.0)
_BREAK_LOST: Final = tuple(bet.lost for bet in BREAK_BETS)

_NEVER: Final = -1e9
"""Stands for log 0: times none it is 0, times one or more its exponential is 0."""
_MOST: Final = 690.0
"""Greater odds than these, as a logarithm, are not told apart; so nothing becomes infinite."""


class Expected(NamedTuple):
    """Bounds that stand for the target's rates, at one level."""

    confidence: float | None
    """None where the assumed rate stands for the bounds."""
    failure_rate: float
    """After a success, and at the beginning."""
    repeat_rate: float
    """After a failure."""

    @property
    def success_rate(self) -> float:
        """Of all executions in the long run, if the two rates are as these."""
        return (1 - self.repeat_rate) / (1 - self.repeat_rate + self.failure_rate)


class Terms(NamedTuple):
    """What one bet wins, as logarithms: by its weight, by a success and by a failure, each after a
    success and after a failure.
    """

    weight: float
    success: float
    success_after_failure: float
    failure: float
    failure_after_failure: float


class Side(NamedTuple):
    """A test at one level."""

    expected: Expected
    log_factor: float
    terms: tuple[Terms, ...]


class Stakes(NamedTuple):
    """All that the baseline and the policy say to the tests, worked out once (``stakes_of``)."""

    rate: tuple[Side, ...]
    signature: tuple[Side, ...]
    break_expected: Expected
    break_bets: BreakBets
    has_baseline: bool


@lru_cache(maxsize=4096)
def stakes_of(baseline: Baseline | None, policy: EvidencePolicy) -> Stakes:
    """The stakes of an activation: its target's baseline does not change while it lasts.

    The first call for a baseline takes about a millisecond.
    """
    known = baseline if baseline and baseline.executions >= policy.baseline_executions else None
    at_break = _expected(known, BREAK_LEVEL, policy)
    return Stakes(
        tuple(
            _side(_expected(known, level, policy), level.factor, RATE_BETS)
            for level in policy.levels
        ),
        tuple(
            _side(_expected_signature_errors(known, confidence, policy), factor, SIGNATURE_BETS)
            for confidence, factor in SIGNATURE_LEVELS
        ),
        at_break,
        BreakBets(
            _BREAK_LOST,
            tuple(_gain(bet.lost, at_break.failure_rate) for bet in BREAK_BETS),
            tuple(_gain(bet.lost_after_failure, at_break.repeat_rate) for bet in BREAK_BETS),
        ),
        known is not None,
    )


def _expected(known: Baseline | None, level: Level, policy: EvidencePolicy) -> Expected:
    """After a failure the assumed rate of repeats counts as far as the baseline allows it, and
    another failure is never expected less than after a success.
    """
    drop = policy.tolerated_drop
    if known is None:
        failure_rate, repeat_rate, confidence = (
            1 - policy.assumed_success_rate,
            policy.assumed_repeat_rate,
            None,
        )
    else:
        after_failure, repeats = known.after_failure, known.failures_after_failure
        failure_rate = upper_bound(
            known.failures - repeats, known.executions - after_failure, level.confidence
        )
        most = upper_bound(repeats, after_failure, level.repeat_confidence)
        least = lower_bound(repeats, after_failure, level.repeat_confidence)
        repeat_rate = min(max(policy.assumed_repeat_rate, least), most)
        confidence = level.confidence
    failure_rate, repeat_rate = failure_rate + drop, max(repeat_rate, failure_rate) + drop
    return Expected(confidence, min(failure_rate, 1.0), min(repeat_rate, 1.0))


def _expected_signature_errors(
    known: Baseline | None, confidence: float, policy: EvidencePolicy
) -> Expected:
    """Without a baseline any failure may be one."""
    if known is None:
        rate = 1 - policy.assumed_success_rate
        return Expected(None, rate, rate)
    rate = upper_bound(known.signature_errors, known.executions, confidence)
    return Expected(confidence, rate, rate)


def _side(expected: Expected, factor: float, bets: tuple[Bet, ...]) -> Side:
    terms = tuple(
        Terms(
            log(bet.weight),
            _log_kept(bet.lost),
            _log_kept(bet.lost_after_failure),
            log(_gain(bet.lost, expected.failure_rate)),
            log(_gain(bet.lost_after_failure, expected.repeat_rate)),
        )
        for bet in bets
    )
    return Side(expected, log(factor), terms)


def _log_kept(lost: float) -> float:
    return log1p(-lost) if lost < 1 else _NEVER


def _gain(lost: float, failure_rate: float) -> float:
    """What a failure makes of a bet: its rate under the bet over the one that was expected."""
    return 1.0 + lost * (1.0 - failure_rate) / failure_rate


class Weight(NamedTuple):
    """What one test says. ``odds`` to 1 speak against the version, and ``limit`` condemns it."""

    odds: float
    limit: float
    expected: Expected
    """At the level that decides: the most lenient."""

    @property
    def share(self) -> float:
        """Of what condemns; at 1 or more it does."""
        return self.odds / self.limit


class Weighed(NamedTuple):
    """What the three tests say, with the numbers that they say it of."""

    rate: Weight
    signature: Weight
    at_break: Weight
    seen: Baseline
    """Of the version that is judged."""
    baseline: Baseline | None
    """Of its target; None where too little is known of it."""

    @property
    def greatest(self) -> tuple[Test, Weight]:
        """The test that is nearest to its limit."""
        named: tuple[tuple[Test, Weight], ...] = (
            ("rate", self.rate),
            ("signature", self.signature),
            ("break", self.at_break),
        )
        return max(named, key=lambda named: named[1].share)


def weigh(evidence: Evidence, baseline: Baseline | None, policy: EvidencePolicy) -> Weighed:
    """What the tests say by now, with every number of it."""
    stakes = stakes_of(baseline, policy)
    return Weighed(
        _weight(_rate_counts(evidence), stakes.rate, policy.alpha),
        _weight(_signature_counts(evidence), stakes.signature, policy.signature_alpha),
        Weight(_break(evidence), policy.false_alarm_executions, stakes.break_expected),
        evidence.baseline,
        baseline if stakes.has_baseline else None,
    )


def reached(evidence: Evidence, baseline: Baseline | None, policy: EvidencePolicy) -> bool:
    """Whether the execution just counted condemns the version; only a failure can.

    A success leaves 1 - lost of every bet, so it lowers the rate and the signature errors. Of the
    break, a bet that has won M falls, or rises to (1 - lost) / lost at most, which is far from any
    limit; their sum might yet be lifted over its own by less than 1. That does not count: to leave
    out looks costs nothing of the bound. So successes condemn nobody, and need no judging.
    """
    if not evidence.last_failed:
        return False
    stakes = stakes_of(baseline, policy)
    if _break(evidence) >= policy.false_alarm_executions:
        return True
    counts = _rate_counts(evidence)
    if _is_worse(counts, stakes.rate[0].expected) and _reach(counts, stakes.rate, 1 / policy.alpha):
        return True
    if not evidence.signature_errors:
        return False
    return _reach(_signature_counts(evidence), stakes.signature, 1 / policy.signature_alpha)


class _Counts(NamedTuple):
    success: int
    success_after_failure: int
    failure: int
    failure_after_failure: int


def _rate_counts(evidence: Evidence) -> _Counts:
    repeats = evidence.failures_after_failure
    recovered = evidence.after_failure - repeats
    return _Counts(evidence.successes - recovered, recovered, evidence.failures - repeats, repeats)


def _signature_counts(evidence: Evidence) -> _Counts:
    """Whatever is no signature error is a success to them; runs are not told apart."""
    errors = evidence.signature_errors
    return _Counts(evidence.executions - errors, 0, errors, 0)


def _is_worse(counts: _Counts, expected: Expected) -> bool:
    """Whether more failed than expected after a success, or after a failure. If not, every bet has
    lost: its rates are farther from what was seen than the expected ones.
    """
    after_success = counts.success + counts.failure
    after_failure = counts.success_after_failure + counts.failure_after_failure
    return (
        counts.failure > expected.failure_rate * after_success
        or counts.failure_after_failure > expected.repeat_rate * after_failure
    )


def _weight(counts: _Counts, sides: tuple[Side, ...], alpha: float) -> Weight:
    odds, expected = _odds(counts, sides)
    return Weight(odds, 1 / alpha, expected)


def _reach(counts: _Counts, sides: tuple[Side, ...], limit: float) -> bool:
    """Whether the odds of every level do; most often the first one that is asked says no."""
    return all(
        exp(min(_log_mixture(counts, side.terms) + side.log_factor, _MOST)) >= limit
        for side in sides
    )


def _odds(counts: _Counts, sides: tuple[Side, ...]) -> tuple[float, Expected]:
    """The least odds of all levels, and what that level expected."""
    least, expected = _MOST, sides[0].expected
    for side in sides:
        odds = _log_mixture(counts, side.terms) + side.log_factor
        if odds < least:
            least, expected = odds, side.expected
    return exp(least), expected


def _log_mixture(counts: _Counts, terms: tuple[Terms, ...]) -> float:
    """The logarithm of what all bets together have made of 1."""
    success, recovered, failure, repeated = counts
    won = [
        weight + success * a + recovered * b + failure * c + repeated * d
        for weight, a, b, c, d in terms
    ]
    most = max(won)
    return most + log(fsum([exp(one - most) for one in won]))


def _break(evidence: Evidence) -> float:
    won = evidence.breaks_now(_BREAK_LOST)
    return fsum(bet.weight * each for bet, each in zip(BREAK_BETS, won, strict=True))
