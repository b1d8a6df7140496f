"""Which trusted version a rollback leads to: a better one before a nearer one."""

from collections.abc import Sequence
from typing import Any

import pytest

from policy.rollbacks.targets import VersionCounts, choose_target, replaced_counts
from schemas.rules.rules import Rules

RULES = Rules(policy="guarded")
BROKEN = VersionCounts(10, 2)


@pytest.mark.parametrize(
    ("candidates", "replaced", "chosen"),
    [
        ([], BROKEN, None),
        ([(0, 0)], BROKEN, (0, "nearest")),
        # 0.05 ** (1 / 10) = 0.741 > 0.2
        ([(10, 10)], BROKEN, (0, "earned")),
        ([(9, 9)], BROKEN, (0, "nearest")),  # too few
        ([(9, 9), (10, 10)], BROKEN, (1, "earned")),
        ([(10, 10), (500, 500)], BROKEN, (0, "earned")),  # the nearest of them
        # 0.05 ** (1 / 58) = 0.9497, 0.05 ** (1 / 59) = 0.9505
        ([(58, 58)], VersionCounts(100, 95), (0, "nearest")),
        ([(59, 59)], VersionCounts(100, 95), (0, "earned")),
        ([(1, 1), (58, 58), (59, 59)], VersionCounts(100, 95), (2, "earned")),
        ([(500, 500)], VersionCounts(3, 3), (0, "nearest")),  # nothing is above 1
        ([(100, 0), (100, 100)], BROKEN, (1, "earned")),
        ([(100, 0), (100, 10)], BROKEN, (0, "nearest")),
        ([(100, 100)], VersionCounts(0, 0), (0, "nearest")),  # nothing is known of what is replaced
        ([(20, 21)], BROKEN, (0, "earned")),  # rows may say anything
    ],
)
def test_the_choice(
    candidates: Sequence[tuple[int, int]], replaced: VersionCounts, chosen: tuple[int, str] | None
) -> None:
    assert choose_target([VersionCounts(*each) for each in candidates], replaced, RULES) == chosen


def test_how_many_executions_are_enough() -> None:
    many = Rules(policy="guarded", baseline_executions=11)
    assert choose_target([VersionCounts(10, 10), VersionCounts(11, 11)], BROKEN, many) == (
        1,
        "earned",
    )


@pytest.mark.parametrize(
    ("details", "counts"),
    [
        ({"executions": 5, "failures": 4}, (5, 1)),
        ({"executions": 5, "failures": 0}, (5, 5)),
        ({}, (7, 6)),
        ({"executions": 0, "failures": 0}, (7, 6)),
        ({"executions": 5}, (7, 6)),
        ({"executions": 5, "failures": 6}, (7, 6)),
        ({"executions": 5, "failures": -1}, (7, 6)),
        ({"executions": True, "failures": True}, (7, 6)),
        ({"executions": 5.0, "failures": "4"}, (7, 6)),
    ],
)
def test_the_counts_of_the_replaced_version(
    details: dict[str, Any], counts: tuple[int, int]
) -> None:
    assert replaced_counts(details, VersionCounts(7, 6)) == counts
