"""The state of an engine, compared with what an engine that says the truth really runs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.engines import Executed, Reported, state_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: int) -> datetime:
    return BEGIN + timedelta(seconds=second)


STEPS = st.lists(
    st.sampled_from(["activate", "learn", "learn and fail", "call", "begin", "end"]), max_size=30
)


@given(STEPS)
def test_it_is_what_the_engine_runs(steps: Sequence[str]) -> None:
    """An engine that reports each load, and names its version in each execution.

    A call that began before a swap ends in the old version. The version of an activation is its
    number.
    """
    current, learned, is_loaded = 1, 0, False
    reported: Reported | None = None
    executed: Executed | None = None
    open_calls: list[tuple[int, int]] = []
    for second, step in enumerate(steps):
        match step:
            case "activate":
                current += 1
            case "learn" | "learn and fail":
                learned, is_loaded = current, step == "learn"
                reported = Reported(learned, is_loaded, at(second))
            case "call" | "begin" if learned:
                open_calls.append((learned, second))
        if step in ("call", "end") and open_calls:
            version, began = open_calls.pop(-1 if step == "call" else 0)
            executed = Executed(version, current, at(began))
    state = state_of(current, current, reported, executed)
    if not learned:
        assert state == "unknown"
    elif learned == current:
        assert state == ("current" if is_loaded else "failed")
    else:
        assert state == "stale"


@pytest.mark.parametrize(
    ("executed", "expected"),
    [
        (None, "unknown"),
        (Executed(4, 4, at(0)), "current"),
        (Executed(3, 4, at(0)), "stale"),
        (Executed(3, 3, at(0)), "unknown"),  # before the activation
    ],
)
def test_engines_that_report_nothing(executed: Any, expected: str) -> None:
    assert state_of(4, 4, None, executed) == expected


@pytest.mark.parametrize(
    ("reported", "version_id", "began", "expected"),
    [
        (Reported(4, True, at(5)), 3, 6, "stale"),  # it says one thing, and does another
        (Reported(4, True, at(5)), 3, 5, "current"),  # it was at it when the version was swapped
        (Reported(3, True, at(5)), 4, 6, "current"),  # its report has not come
        (Reported(4, False, at(5)), 4, 6, "failed"),  # its calls fail in the name of the version
        (Reported(4, False, at(5)), 3, 6, "failed"),
    ],
)
def test_the_newer_of_what_it_says_and_does_counts(
    reported: Reported, version_id: int, began: int, expected: str
) -> None:
    assert state_of(4, 4, reported, Executed(version_id, 4, at(began))) == expected
