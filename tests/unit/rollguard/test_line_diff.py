"""The search for equal lines: the most of them, or fewer if the work is limited."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.comparer.line_diff import partners

LINES = st.lists(st.sampled_from("abcd"), max_size=30) | st.lists(
    st.text("abcdefghijk", max_size=2)
)


def most(before: list[str], after: list[str]) -> int:
    """Return how many lines can stay, by the textbook's table."""
    row = [0] * (len(after) + 1)
    for line in before:
        last = row
        row = [0]
        for column, other in enumerate(after):
            row.append(last[column] + 1 if line == other else max(row[-1], last[column + 1]))
    return row[-1]


def kept(before: list[str], after: list[str], found: list[int]) -> int:
    """Return how many lines stay; they must be the same, in the same order."""
    pairs = [(row, column) for row, column in enumerate(found) if column >= 0]
    assert all(before[row] == after[column] for row, column in pairs)
    columns = [column for _, column in pairs]
    assert columns == sorted(set(columns))
    return len(pairs)


@given(LINES, LINES)
def test_as_many_lines_as_possible_stay(before: list[str], after: list[str]) -> None:
    assert kept(before, after, partners(before, after)) == most(before, after)


@given(LINES, LINES, st.integers(0, 400))
def test_with_little_work_the_lines_that_stay_are_still_equal(
    before: list[str], after: list[str], work: int
) -> None:
    assert kept(before, after, partners(before, after, work)) <= most(before, after)


@pytest.mark.parametrize("kinds", [2, 5, 20])
def test_limited_work_costs_few_lines(kinds: int) -> None:
    names = [str(number) for number in range(kinds)]
    before, after = (Random(seed).choices(names, k=1_000) for seed in (1, 2))
    best = most(before, after)
    assert kept(before, after, partners(before, after, 10**8)) == best
    assert kept(before, after, partners(before, after, 200_000)) > 0.8 * best


def test_a_moved_block_moves_alone_even_if_the_work_is_limited() -> None:
    lines = [str(number) for number in range(4_000)]
    moved = [*lines[:500], *lines[1_000:3_000], *lines[500:1_000], *lines[3_000:]]
    assert kept(lines, moved, partners(lines, moved, 100_000)) == 3_500
