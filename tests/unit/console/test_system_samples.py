"""The trend of the lag, from the states that were seen."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from console.system_samples import (
    KEPT_FOR,
    LONGEST_GAP,
    MOST,
    RoleSample,
    SystemSamples,
    trend_of,
)
from rollguard.operations.overview.status import KafkaStatus, RoleStatus, SystemStatus

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
KAFKA = KafkaStatus("cluster", [], "", 1)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def status(seconds: float, handled: int, written: int, *stuck: str) -> SystemStatus:
    role = RoleStatus("recorder", [], written - handled, [], handled, written)
    return SystemStatus({}, at(seconds), KAFKA, None, [role], list(stuck))


def test_one_state_has_no_trend() -> None:
    samples = SystemSamples()
    assert samples.trend("recorder") is None
    samples.add(status(0, 5, 10))
    assert samples.trend("recorder") is None
    assert samples.trend("other") is None


def test_lag_that_grows_and_the_oldest_record_that_waits() -> None:
    samples = SystemSamples()
    for second, handled, written in ((0, 100, 100), (10, 100, 120), (20, 110, 160)):
        samples.add(status(second, handled, written))
    trend = samples.trend("recorder")
    assert trend is not None
    assert (trend.since, trend.direction) == (NOON, "grows")
    assert (trend.handled_per_s, trend.written_per_s) == (0.5, 3.0)
    assert trend.unread_for_s == 10  # record 110 was there at 10 s, not at 0 s
    samples.add(status(30, 160, 160))
    trend = samples.trend("recorder")
    assert trend is not None
    assert (trend.direction, trend.unread_for_s) == ("stays", 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=20))
def test_what_waits_has_waited_at_least_so_long(steps: list[tuple[int, int]]) -> None:
    """The model keeps the time at which each record of one partition was written."""
    written_at: list[int] = []
    handled, samples = 0, []
    for second, (written, taken) in enumerate(steps):
        written_at += [second] * written
        handled = min(handled + taken, len(written_at))
        samples.append(RoleSample(at(second), handled, len(written_at)))
    trend = trend_of(samples)
    assert trend is not None
    waiting = written_at[handled:]
    expected = len(steps) - 1 - waiting[0] if waiting else 0
    assert trend.unread_for_s == expected


def test_since_when_something_is_stuck() -> None:
    samples = SystemSamples()
    samples.add(status(0, 0, 0, "no recorder runs"))
    samples.add(status(30, 0, 0, "no recorder runs", "Postgres: away"))
    assert samples.stuck_since("no recorder runs") == at(0)
    assert samples.stuck_since("Postgres: away") == at(30)
    samples.add(status(60, 0, 0))
    samples.add(status(90, 0, 0, "no recorder runs"))
    assert samples.stuck_since("no recorder runs") == at(90)
    assert samples.stuck_since("Postgres: away") is None


def test_what_was_while_nobody_looked_is_not_known() -> None:
    samples = SystemSamples()
    samples.add(status(0, 0, 9, "x"))
    gap = LONGEST_GAP.total_seconds() + 1
    samples.add(status(gap, 0, 9, "x"))
    assert samples.stuck_since("x") == at(gap)
    assert samples.trend("recorder") is None


def test_old_states_are_forgotten() -> None:
    samples = SystemSamples()
    for number in range(2 * MOST):
        samples.add(status(number * 10, number, number))
    trend = samples.trend("recorder")
    assert trend is not None
    assert at((2 * MOST - 1) * 10) - trend.since <= KEPT_FOR
    assert len(samples._of_roles["recorder"]) <= MOST


def test_roles_are_unknown_while_kafka_is_away() -> None:
    samples = SystemSamples()
    samples.add(status(0, 0, 9))
    samples.add(SystemStatus({}, at(10)))
    samples.add(status(20, 0, 9))
    trend = samples.trend("recorder")
    assert trend is not None
    assert trend.unread_for_s == 20
