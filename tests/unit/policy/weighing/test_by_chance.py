"""How often and how soon versions are condemned, by seeded chance.

The bounds are such that a correct module passes them by a wide margin. The whole table:
``docs/decisions/0010-evidence.md``.
"""

from random import Random
from statistics import median

import pytest

from policy.state.evidence import Baseline, Evidence
from policy.weighing.betting_tables import betting_tables_of
from policy.weighing.weighing import condemns
from tests.support.cases import THOROUGH, cases
from tests.support.policy.outcomes import POLICY, baseline_of

pytestmark = pytest.mark.exhaustive

VERSIONS = 100 if THOROUGH else 40
MOST_CONDEMNED = {0.01: 5, 0.03: 9} if THOROUGH else {0.01: 3, 0.03: 6}


def draw(random: Random, rates: tuple[float, float], number: int) -> str:
    """Draw a chain by its failure rates after a success and after a failure.

    One failure of ten is a signature error.
    """
    log, failed = [], random.random() < rates[0]
    for _ in range(number):
        failed = random.random() < rates[failed]
        log.append(("T" if random.random() < 0.1 else "F") if failed else "S")
    return "".join(log)


def executions_until_condemned(log: str, baseline: Baseline, begin: int = 0) -> int:
    """Return how many executions from ``begin`` on it took; one more than the log has if never."""
    evidence, tables = Evidence(), betting_tables_of(baseline, POLICY)
    for number, outcome in enumerate(log):
        if outcome == "S":
            evidence.add_success()
        else:
            evidence.add_failure(outcome == "T", tables.break_bets)
            if number >= begin and condemns(evidence, baseline, POLICY):
                return number + 1 - begin
    return len(log) + 1


@pytest.mark.parametrize("size", [10, 100, 500])
@pytest.mark.parametrize(
    ("rates", "bound"),
    [
        ((0.5, 0.5), 0.01),
        ((0.2, 0.2), 0.01),
        ((0.05, 0.05), 0.01),
        ((0.125, 0.5), 0.03),  # in runs of two, one of five fails
        ((0.5 / 19, 0.5), 0.03),  # one of twenty
    ],
    ids=str,
)
def test_a_version_that_is_no_worse_is_seldom_condemned(
    rates: tuple[float, float], bound: float, size: int
) -> None:
    random = Random(f"{rates} {size}")
    condemned = 0
    for _ in range(VERSIONS):
        baseline = baseline_of(draw(random, rates, size))
        log = draw(random, rates, 500)
        condemned += executions_until_condemned(log, baseline) <= 500
    # If the bound holds, more have a probability below 1 in 1,000.
    assert condemned <= MOST_CONDEMNED[bound]


@pytest.mark.parametrize(
    ("before", "size", "healthy", "after", "limit"),
    [
        (0.1, 100, 0, 1.0, 4),
        (0.01, 500, 0, 1.0, 3),
        (0.1, 500, 0, 0.4, 23),
        (0.1, 500, 0, 0.25, 90),
        (0.2, 500, 1_000, 1.0, 9),
        (0.05, 500, 1_000, 1.0, 6),
    ],
    ids=str,
)
def test_a_worse_version_is_condemned_soon(
    before: float, size: int, healthy: int, after: float, limit: int
) -> None:
    """By the median; ``after`` is the failure rate after ``healthy`` executions."""
    random = Random(f"{before} {size} {healthy} {after}")
    found = []
    for _ in range(cases(300)):
        baseline = baseline_of(draw(random, (before, before), size))
        log = draw(random, (before, before), healthy) + draw(random, (after, after), 500)
        found.append(executions_until_condemned(log, baseline, healthy))
    assert median(found) <= limit
