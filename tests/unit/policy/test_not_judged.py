"""Failures that are not the tool's: how a row counts and shows them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.decision.fold import fold
from policy.decision.health import health_of, state_of
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.not_judged import NotJudged
from policy.state.outage_watch import OutageWatch
from policy.state.row import Row, decode, encode
from schemas.failures.failure_classes import ErrorOrigin
from schemas.fields import micros_of
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules
from tests.support.inputs.messages import activation, execution
from tests.support.policy.generated_logs import guarded

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_US = 3_600_000_000
ORIGINS: st.SearchStrategy[ErrorOrigin] = st.sampled_from(["caller", "environment"])
TIMES = st.integers(0, 60 * HOUR_US) | st.integers(0, 60).map(lambda hour: hour * HOUR_US)


@given(st.lists(st.tuples(TIMES, ORIGINS, st.none() | TIMES), max_size=40), st.none() | TIMES)
def test_counts_are_those_of_a_simple_list(
    failures: list[tuple[int, ErrorOrigin, int | None]], now_us: int | None
) -> None:
    """'Now' of the rules only grows; the window ends at the newest hour that is known."""
    start, found = micros_of(START), NotJudged()
    now: int | None = None
    seen: list[tuple[int, ErrorOrigin]] = []
    for after_us, origin, moved_us in failures:
        if moved_us is not None:
            now = max(now or 0, start + moved_us)
        found.add(start + after_us, origin, now)
        seen.append(((start + after_us) // HOUR_US, origin))
    if now_us is not None:
        now = max(now or 0, start + now_us)
    newest = max([(now or 0) // HOUR_US, *(hour for hour, _ in seen)])
    lately = [origin for hour, origin in seen if hour >= newest - 24]
    assert found.at(now) == (lately.count("caller"), lately.count("environment"))
    assert len(found.counts) <= 2 * 25


def folded(rules: Rules, *runs: tuple[float, str | None, ErrorOrigin | None]) -> Row:
    """Return the row after executions, each with its second, its error and its origin."""
    policy = policy_for(rules)
    row, _ = fold(None, LogRecord.of(0, 0, activation("t", 1, 1, activated_at=START)), policy)
    for offset, (second, error, origin) in enumerate(runs, 1):
        at = START + timedelta(seconds=second)
        entry = execution("t", error, executed_at=at, error_origin=origin)
        row, _ = fold(row, LogRecord.of(offset, micros_of(at) // 1000, entry), policy)
        assert row is not None
        row = decode(encode(row))
    assert row is not None
    return row


@pytest.mark.parametrize("rules", [Rules(), guarded(Rules())], ids=["seed", "guarded"])
def test_they_are_shown_and_judged_by_nobody(rules: Rules) -> None:
    rules = rules.changed({"environment_errors": "OSError"})
    others: list[tuple[float, str, ErrorOrigin | None]] = [
        *((n, "OSError: away", None) for n in range(30)),
        *((n, "x", "caller") for n in (1, 2)),
    ]
    row, policy, outages = folded(rules, *others), policy_for(rules), OutageRules()
    health = health_of(row, "t", policy, OutageWatch(), outages)
    assert health["not_judged"] == {"caller": 2, "environment": 30}
    assert (health["as_of"], health["recent"], health["needs_rollback"]) == (None, [], False)
    assert health["windows"]["standard"]["executions"] == 0
    assert state_of(row, policy, OutageWatch(), outages) == ("unjudged", None)
    row = folded(rules, *others, *[(40 + n, "OSError: x", "tool") for n in range(9)])
    health = health_of(row, "t", policy, OutageWatch(), outages)
    assert health["needs_rollback"]
    assert health["details"]["not_judged"] == {"caller": 2, "environment": 30}
    assert health["windows"]["standard"]["failures"] == 9


def test_details_say_nothing_of_others_if_there_are_none() -> None:
    rules = Rules()
    row = folded(rules, *[(n, "TypeError: x", "tool") for n in range(3)])
    health = health_of(row, "t", policy_for(rules), OutageWatch(), OutageRules())
    assert health["not_judged"] == {"caller": 0, "environment": 0}
    assert "not_judged" not in health["details"]


def test_they_are_those_of_the_last_day_and_of_this_activation() -> None:
    rules, policy = Rules(), policy_for(Rules())
    row = folded(rules, (0, "x", "caller"), (3_600, "x", "environment"), (90_000, None, None))
    assert row.others_failures == (0, 1)  # the hour of the first ended 24 hours ago
    row = folded(rules, (0, "x", "caller"), (89_999, None, None))
    assert row.others_failures == (1, 0)
    after, _ = fold(row, LogRecord.of(9, 0, activation("t", 2, 2)), policy)
    assert after is not None
    assert after.others_failures == (0, 0)


def test_one_that_the_ring_holds_is_a_repeat() -> None:
    policy, rows = policy_for(Rules()), []
    first = execution("t", "x", executed_at=START)
    for entries in ([first, first.model_copy(update={"error_origin": "caller"})], [first]):
        begin = activation("t", 1, 1, activated_at=START)
        row, _ = fold(None, LogRecord.of(0, 0, begin), policy)
        for offset, entry in enumerate(entries, 1):
            row, _ = fold(row, LogRecord.of(offset, 0, entry), policy)
        assert row is not None
        row.read_to = 0
        rows.append(encode(row))
    assert rows[0] == rows[1]


@pytest.mark.parametrize(("each_hour", "most"), [(127, 62), (255, 112), (65_535, 162)])
def test_how_much_larger_a_row_becomes(each_hour: int, most: int) -> None:
    row = folded(Rules(), (0, "TypeError: x", "tool"))
    size = len(encode(row))
    row.not_judged = NotJudged(micros_of(START) // HOUR_US, [each_hour] * 50)
    assert len(encode(row)) - size <= most
