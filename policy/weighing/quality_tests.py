"""How strongly the quality of a version's successes speaks against it.

There are three *quality tests*. Each asks a yes or no of what succeeded, and compares the share of
yes with the baseline version's share, as the test of signature errors does
(``policy/weighing/weighing.py``):

- `judged_bad`: was it called bad by a later verdict?
- `slower`, `costlier`: did it take longer, or cost more, than the 95 % quantile of the baseline
  version? Here the baseline's share may grow by a tolerated factor.

Without a baseline they say nothing. The numbers that were chosen, and what they achieve:
``docs/decisions/0027-quality-tests.md``.
"""

from functools import lru_cache
from math import inf
from typing import Final, NamedTuple, Self

from policy.state.quality.measured import Addition, Measured
from policy.state.quality.quality import Quality, QualityAddition
from policy.state.quality.tail import Tail
from policy.statistics.bounds import upper_bound
from policy.weighing.betting_tables import Bet, ExpectedRates, LevelTable, level_table
from policy.weighing.weighing import KindCounts, OddsAgainst, all_reach, is_worse, odds_against
from schemas.rollback import QualityReason
from schemas.rules.rules import Rules

LEVELS: Final = ((0.80, 1.0), (0.95, 4.0), (0.995, 15.0))
"""Confidence and factor, as those of the signature errors."""
JUDGED_BAD_BETS: Final = (
    Bet(0.15, 1.0, 1.0),
    Bet(0.30, 0.5, 0.5),
    Bet(0.40, 0.25, 0.25),
    Bet(0.15, 0.12, 0.12),
)
TAIL_BETS: Final = (
    Bet(0.15, 0.9, 0.9),
    Bet(0.15, 0.5, 0.5),
    Bet(0.20, 0.5, 0.0),
    Bet(0.30, 0.25, 0.0),
    Bet(0.20, 0.12, 0.0),
)
"""Two of them look for versions of which nearly every execution is slow, or half of them; the
others look only at executions that do not follow a slow one."""
TAIL_REPEAT_RATE: Final = 0.8
"""How many of the executions that follow a slow one may be slow, too: runs of five on average."""


class Share(NamedTuple):
    """How many were asked, and how many of them said yes."""

    asked: int
    found: int


class QualityTest(NamedTuple):
    """One quality test: what was seen of the version, and what is expected."""

    reason: QualityReason
    seen: KindCounts
    """Answers of the version that is judged: a failure is a yes."""
    baseline: Share | None
    """None if too little is known of the baseline version: then the test says nothing."""
    tolerance: float
    alpha: float
    threshold: float | None
    """From this number on an execution is slow or dear. None for later verdicts, and if no number
    is."""

    @property
    def condemns(self) -> bool:
        """Whether the odds against the version reach the limit."""
        if self.baseline is None:
            return False
        return _all_levels_condemn(self.seen, self._tables(self.baseline), self.alpha)

    @property
    def share_of_limit(self) -> float:
        """The odds divided by the limit; at 1 or more they condemn."""
        return 0.0 if self.baseline is None else self.against(self.baseline).share_of_limit

    def against(self, baseline: Share) -> OddsAgainst:
        """Return the odds against the version, compared with this baseline."""
        return odds_against(self.seen, self._tables(baseline), self.alpha)

    def _tables(self, baseline: Share) -> tuple[LevelTable, ...]:
        return _tables_of(baseline, self.tolerance, self.reason == "judged_bad")


class QualityNumbers(NamedTuple):
    """The settings of the quality tests (``schemas.rules.rules.Rules`` says what each means)."""

    judged_bad_alpha: float
    slower_alpha: float
    slower_tolerance: float

    @classmethod
    def of(cls, rules: Rules) -> Self:
        """Return the numbers as the rules of a tool set them."""
        return cls(rules.judged_bad_alpha, rules.slower_alpha, rules.slower_tolerance)


def quality_tests(quality: Quality | None, numbers: QualityNumbers) -> list[QualityTest]:
    """Return the tests that have a baseline, and that of later verdicts if there are any."""
    if quality is None:
        return []
    tests = []
    verdicts = quality.verdicts
    if verdicts is not None and (verdicts.judged or verdicts.baseline_judged):
        judged_before = Share(verdicts.baseline_judged, verdicts.baseline_bad)
        tests.append(
            QualityTest(
                "judged_bad",
                KindCounts(verdicts.judged - verdicts.bad, 0, verdicts.bad, 0),
                judged_before if judged_before.asked else None,
                1.0,
                numbers.judged_bad_alpha,
                None,
            )
        )
    measures: tuple[tuple[QualityReason, Measured | None], ...] = (
        ("slower", quality.durations),
        ("costlier", quality.costs),
    )
    for reason, measured in measures:
        if measured is not None and measured.baseline is not None:
            tests.append(_tail_test(reason, measured, measured.baseline, numbers))
    return tests


def may_condemn(quality: Quality, added: QualityAddition, numbers: QualityNumbers) -> bool:
    """Return whether a version could be condemned while these successes are counted."""
    return _tail_may_condemn(quality.durations, added.durations, numbers) or _tail_may_condemn(
        quality.costs, added.costs, numbers
    )


def _tail_may_condemn(
    measured: Measured | None, more: Addition | None, numbers: QualityNumbers
) -> bool:
    if more is None or not more.above or measured is None or measured.baseline is None:
        return False
    tail, tolerance = measured.baseline, numbers.slower_tolerance
    # All of them that lie above the threshold, and none that lies below it: this speaks at least as
    # strongly against the version as any moment while these are counted.
    repeats = measured.repeats + more.repeats
    first = measured.above + more.above - repeats
    after = measured.after_one_above + more.repeats
    below = measured.counted - measured.after_one_above + more.above - more.repeats
    # What is expected is more than the baseline's share, so most often this is enough.
    share = tolerance * tail.above / tail.counted
    if first <= share * below and repeats <= TAIL_REPEAT_RATE * after:
        return False
    seen = KindCounts(below - first, after - repeats, first, repeats)
    return _all_levels_condemn(
        seen, _tables_of(_share_of(tail), tolerance, False), numbers.slower_alpha
    )


def _tail_test(
    reason: QualityReason, measured: Measured, tail: Tail, numbers: QualityNumbers
) -> QualityTest:
    """Return the test of durations or costs."""
    return QualityTest(
        reason,
        _kinds_of(measured),
        _share_of(tail),
        numbers.slower_tolerance,
        numbers.slower_alpha,
        tail.limit if tail.limit < inf else None,
    )


def _share_of(tail: Tail) -> Share:
    return Share(tail.counted, tail.above)


def _kinds_of(measured: Measured) -> KindCounts:
    """Return the counts of numbers below and above the threshold."""
    after, repeats = measured.after_one_above, measured.repeats
    recovered, first = after - repeats, measured.above - repeats
    return KindCounts(measured.counted - measured.above - recovered, recovered, first, repeats)


def _all_levels_condemn(seen: KindCounts, tables: tuple[LevelTable, ...], alpha: float) -> bool:
    return is_worse(seen, tables[0].expected) and all_reach(seen, tables, 1 / alpha)


@lru_cache(maxsize=4096)
def _tables_of(baseline: Share, tolerance: float, of_verdicts: bool) -> tuple[LevelTable, ...]:
    repeat_rate, bets = (0.0, JUDGED_BAD_BETS) if of_verdicts else (TAIL_REPEAT_RATE, TAIL_BETS)
    tables = []
    for confidence, factor in LEVELS:
        rate = min(upper_bound(baseline.found, baseline.asked, confidence) * tolerance, 1.0)
        expected = ExpectedRates(confidence, rate, max(rate, repeat_rate))
        tables.append(level_table(expected, factor, bets))
    return tuple(tables)
