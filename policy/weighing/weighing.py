"""How strongly the evidence speaks against a version, compared with its baseline version.

There are three tests. Each one is a bet against 'this version fails no more often than its baseline
version did', at a price at which a version that is no worse wins nothing on average. So however
often one looks, odds of n to 1 condemn a version wrongly at most once in n (Ville, Étude critique
de la notion de collectif, 1939).

1. The *rate*, from the first execution on. Failures often follow one another, so a failure after a
   failure is compared with another rate than a failure after a success: a chain of first order.
2. *Signature errors*, from the first execution on, compared with the baseline's share of them.
3. A *break* at any time: a Shiryaev-Roberts detector, which begins anew at every execution (Shin,
   Ramdas and Rinaldo, E-detectors, New England Journal of Statistics in Data Science, 2023).

The baseline's rates are not taken as known. Clopper and Pearson's bounds stand for them (The use of
confidence or fiducial limits, Biometrika 26, 1934), at several levels; the level with the least
odds decides. What is counted: ``policy/state/evidence.py``. What a bet wins:
``policy/weighing/betting_tables.py``.
"""

from math import exp, fsum, log
from typing import Final, Literal, NamedTuple

from policy.state.evidence import Baseline, Evidence
from policy.weighing.betting_tables import (
    BREAK_BETS,
    BREAK_LOST,
    BetLogarithms,
    EvidenceNumbers,
    ExpectedRates,
    LevelTable,
    betting_tables_of,
)

TestName = Literal["rate", "signature", "break"]

_MOST: Final = 690.0
"""The logarithm of the greatest odds that are told apart, so that nothing becomes infinite."""


class OddsAgainst(NamedTuple):
    """The result of one test: the odds against the version, to 1, and the odds that condemn it."""

    odds: float
    limit: float
    expected: ExpectedRates
    """At the level that decides: the one with the least odds."""

    @property
    def share_of_limit(self) -> float:
        """The odds divided by the limit; at 1 or more they condemn."""
        return self.odds / self.limit


class NearestTest(NamedTuple):
    """A test, and the odds that it gives."""

    test: TestName
    against: OddsAgainst


class WeighedEvidence(NamedTuple):
    """The results of the three tests, and the counts that they rest on."""

    rate: OddsAgainst
    signature: OddsAgainst
    at_break: OddsAgainst
    seen: Baseline
    """The counts of the version that is judged."""
    baseline: Baseline | None
    """The counts of its baseline version; None if too little is known of it."""

    @property
    def nearest_to_limit(self) -> NearestTest:
        """The test whose odds are nearest to their limit, or farthest beyond it."""
        results = (
            NearestTest("rate", self.rate),
            NearestTest("signature", self.signature),
            NearestTest("break", self.at_break),
        )
        return max(results, key=lambda named: named.against.share_of_limit)


def weigh(
    evidence: Evidence, baseline: Baseline | None, numbers: EvidenceNumbers
) -> WeighedEvidence:
    """Return what the tests say now, with every number of them."""
    tables = betting_tables_of(baseline, numbers)
    return WeighedEvidence(
        odds_against(_rate_counts(evidence), tables.rate, numbers.alpha),
        odds_against(_signature_counts(evidence), tables.signature, numbers.signature_alpha),
        OddsAgainst(_break_sum(evidence), numbers.false_alarm_executions, tables.break_expected),
        evidence.baseline,
        baseline if tables.has_baseline else None,
    )


def condemns(evidence: Evidence, baseline: Baseline | None, numbers: EvidenceNumbers) -> bool:
    """Return whether the execution that was counted last condemns the version.

    Only a failure can. A success leaves 1 - lost of every bet, so it lowers the odds of the rate
    and of the signature errors. In the test for a break, a bet that has won M falls, or rises to
    (1 - lost) / lost at most, which is far from any limit; the sum of the bets might yet rise over
    its limit by less than 1. To leave that out costs nothing of the bound. So a success condemns no
    version, and is not judged.
    """
    if not evidence.last_failed:
        return False
    tables = betting_tables_of(baseline, numbers)
    if _break_sum(evidence) >= numbers.false_alarm_executions:
        return True
    counts = _rate_counts(evidence)
    if is_worse(counts, tables.rate[0].expected) and all_reach(
        counts, tables.rate, 1 / numbers.alpha
    ):
        return True
    if not evidence.signature_errors:
        return False
    return all_reach(_signature_counts(evidence), tables.signature, 1 / numbers.signature_alpha)


class KindCounts(NamedTuple):
    """How many executions there were of each kind that a bet tells apart."""

    success: int
    success_after_failure: int
    failure: int
    failure_after_failure: int


def _rate_counts(evidence: Evidence) -> KindCounts:
    repeats = evidence.failures_after_failure
    recovered = evidence.after_failure - repeats
    return KindCounts(
        evidence.successes - recovered, recovered, evidence.failures - repeats, repeats
    )


def _signature_counts(evidence: Evidence) -> KindCounts:
    """Count every execution that is no signature error as a success; order does not matter."""
    errors = evidence.signature_errors
    return KindCounts(evidence.executions - errors, 0, errors, 0)


def is_worse(counts: KindCounts, expected: ExpectedRates) -> bool:
    """Return whether more failed than expected, after a success or after a failure.

    If not, every bet has lost: its rates are farther from what was seen than the expected rates.
    """
    after_success = counts.success + counts.failure
    after_failure = counts.success_after_failure + counts.failure_after_failure
    return (
        counts.failure > expected.failure_rate * after_success
        or counts.failure_after_failure > expected.repeat_rate * after_failure
    )


def odds_against(counts: KindCounts, tables: tuple[LevelTable, ...], alpha: float) -> OddsAgainst:
    """Return the least odds of all levels."""
    least, expected = _MOST, tables[0].expected
    for table in tables:
        odds = _log_winnings(counts, table.bets) + table.log_factor
        if odds < least:
            least, expected = odds, table.expected
    return OddsAgainst(exp(least), 1 / alpha, expected)


def all_reach(counts: KindCounts, tables: tuple[LevelTable, ...], limit: float) -> bool:
    """Return whether the odds of every level reach the limit; most often the first does not."""
    return all(
        exp(min(_log_winnings(counts, table.bets) + table.log_factor, _MOST)) >= limit
        for table in tables
    )


def _log_winnings(counts: KindCounts, bets: tuple[BetLogarithms, ...]) -> float:
    """Return the logarithm of what all bets together have made of a stake of 1."""
    success, recovered, failure, repeated = counts
    won = [
        weight + success * a + recovered * b + failure * c + repeated * d
        for weight, a, b, c, d in bets
    ]
    most = max(won)
    return most + log(fsum([exp(one - most) for one in won]))


def _break_sum(evidence: Evidence) -> float:
    won = evidence.breaks_now(BREAK_LOST)
    return fsum(bet.weight * each for bet, each in zip(BREAK_BETS, won, strict=True))
