"""The allowance of dead letters: all are published until too many come, then one in many."""

from hypothesis import given
from hypothesis import strategies as st

from policy.dead_letters import DeadLetterAllowance, DeadLetterLimits

LIMITS = DeadLetterLimits(bytes_per_minute=6_000, one_in=10)


def decided(limits: DeadLetterLimits, records: list[tuple[float, int]]) -> list[int | None]:
    """Return, for each record, how many before it are only counted; None if it is one of them."""
    allowance = DeadLetterAllowance.full(limits, records[0][0])
    found: list[int | None] = []
    for at_s, size in records:
        before = allowance.unpublished
        allowance, is_published = allowance.after(size, at_s, limits)
        found.append(before if is_published else None)
    return found


def test_a_minute_of_dead_letters_is_published_at_once() -> None:
    found = decided(LIMITS, [(0.0, 1_000)] * 16)
    assert found == [0] * 6 + [None] * 9 + [9]


def test_the_allowance_fills_up_as_time_goes_by() -> None:
    """100 bytes a second: after 6 letters of 1,000 bytes at 0 s, one more at 5 s and at 15 s."""
    times = [0.0] * 6 + [0.0, 5.0, 6.0, 15.0, 16.0]
    found = decided(LIMITS, [(at_s, 1_000) for at_s in times])
    assert found[6:] == [None, 1, None, 1, None]


def test_one_large_letter_uses_up_no_more_than_a_minute() -> None:
    found = decided(LIMITS, [(0.0, 1_000_000), (0.0, 10), (59.0, 10), (61.0, 10)])
    assert found == [0, None, None, 2]


def test_a_clock_that_stands_still_gives_nothing() -> None:
    assert decided(LIMITS, [(5.0, 6_000), (5.0, 1), (4.0, 1)]) == [0, None, None]


@given(
    st.lists(st.tuples(st.floats(0, 10), st.integers(1, 70_000)), min_size=1, max_size=300),
    st.integers(1, 50_000),
    st.integers(1, 50),
)
def test_no_bad_record_is_forgotten_and_the_bytes_are_bounded(
    gaps: list[tuple[float, int]], per_minute: int, one_in: int
) -> None:
    limits, at_s, records = DeadLetterLimits(per_minute, one_in), 0.0, []
    for gap_s, size in gaps:
        at_s += gap_s
        records.append((at_s, min(size, per_minute)))
    found = decided(limits, records)
    published = [each for each in found if each is not None]
    trailing = len(found) - 1 - max(i for i, each in enumerate(found) if each is not None)
    assert sum(published) + len(published) + trailing == len(records)
    assert all(each < one_in for each in published)
    assert trailing < one_in
    within = sum(
        size
        for (_, size), before in zip(records, found, strict=True)
        if before is not None and before + 1 < one_in
    )
    longest = max(size for _, size in records)
    assert within <= per_minute * (1 + (at_s - records[0][0]) / 60) + longest + 1
