"""What an answer means, and when it is tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.notifications.retrying import (
    DAY_S,
    MAX_RETRY_AFTER_S,
    REFUSED_TRIES,
    Answer,
    Schedule,
    answer_of,
    is_given_up,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "is_delivered", "is_refused"),
    [
        (200, True, False),
        (202, True, False),
        (204, True, False),
        (302, False, False),
        (400, False, True),
        (401, False, False),
        (404, False, False),
        (410, False, False),
        (413, False, True),
        (429, False, False),
        (500, False, False),
        (503, False, False),
    ],
)
def test_what_a_status_means(status: int, is_delivered: bool, is_refused: bool) -> None:
    answer = answer_of(status, None, NOW)
    assert (answer.is_delivered, answer.is_refused) == (is_delivered, is_refused)


@pytest.mark.parametrize(
    ("status", "header", "pause_s"),
    [
        (429, "7", 7.0),
        (503, "7", 7.0),
        (500, "7", None),
        (429, None, None),
        (429, "soon", None),
        (429, "-1", None),
        (429, "9" * 60, MAX_RETRY_AFTER_S),
        (429, "9" * 600, None),
        (429, format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (429, format_datetime(NOW - timedelta(seconds=30), usegmt=True), 0.0),
        (429, "Sun, 01 Mar 2026 12:00:09", 9.0),
    ],
)
def test_how_long_a_receiver_wants_to_be_left_alone(
    status: int, header: str | None, pause_s: float | None
) -> None:
    assert answer_of(status, header, NOW).retry_after_s == pause_s


@given(st.text(max_size=80))
def test_no_header_makes_a_long_pause_or_an_error(header: str) -> None:
    pause_s = answer_of(429, header, NOW).retry_after_s
    assert pause_s is None or 0 <= pause_s <= MAX_RETRY_AFTER_S


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_and_end_at_the_longest(tries: int, chance: float) -> None:
    schedule = Schedule(first_s=1.0, most_s=300.0)
    pause_s = schedule.pause_s(tries, chance)
    assert 0.5 <= pause_s <= 300
    assert pause_s <= schedule.pause_s(tries + 1, chance) <= 2 * pause_s
    assert schedule.pause_s(1, 0.0) == 0.5
    assert schedule.pause_s(20, 0.0) == 150


@pytest.mark.parametrize(
    ("is_refused", "tries", "age_s", "expected"),
    [
        (False, 10_000, DAY_S - 1, False),
        (False, 1, DAY_S, True),
        (True, REFUSED_TRIES - 1, 1.0, False),
        (True, REFUSED_TRIES, 1.0, True),
        (True, 1, DAY_S, True),
    ],
)
def test_when_a_message_is_given_up(
    is_refused: bool, tries: int, age_s: float, expected: bool
) -> None:
    answer = Answer(False, "HTTP 400", is_refused)
    assert is_given_up(answer, tries, age_s) is expected
