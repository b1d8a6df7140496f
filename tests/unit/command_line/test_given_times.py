"""Times as people write them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import typer

from rollguard.cli.given_times import coming_time_of, duration_of, time_of


@pytest.fixture(autouse=True)
def east_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be in a place whose local time is two hours ahead of UTC."""
    monkeypatch.setenv("TZ", "EAST-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-28", datetime(2026, 11, 27, 22, tzinfo=UTC)),
        ("2026-11-28 03:00", datetime(2026, 11, 28, 1, tzinfo=UTC)),
        ("2026-11-28T03:00:30", datetime(2026, 11, 28, 1, 0, 30, tzinfo=UTC)),
        ("2026-11-28T03:00:30.5", datetime(2026, 11, 28, 1, 0, 30, 500_000, tzinfo=UTC)),
        ("2026-11-28T03:00Z", datetime(2026, 11, 28, 3, tzinfo=UTC)),
        ("2026-11-28t03:00:00z", datetime(2026, 11, 28, 3, tzinfo=UTC)),
        ("2026-11-28T03:00:00-05:00", datetime(2026, 11, 28, 8, tzinfo=UTC)),
    ],
)
def test_a_day_and_a_time(text: str, found: datetime) -> None:
    assert time_of("--since", text) == coming_time_of("--until", text) == found


@pytest.mark.parametrize("text", ["00:00", "03:00", "9:30", "12:00:05", "23:59"])
def test_a_time_of_day_is_the_nearest_one(text: str) -> None:
    past, coming, now = time_of("--since", text), coming_time_of("--until", text), datetime.now(UTC)
    assert now - timedelta(days=1, seconds=60) < past <= now
    assert now - timedelta(seconds=60) < coming <= now + timedelta(days=1)
    hour, minute = map(int, text.split(":")[:2])
    for found in (past, coming):
        assert ((found.hour + 2) % 24, found.minute) == (hour, minute)


def test_a_day_may_be_an_hour_shorter_or_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    set_now(monkeypatch, datetime(2026, 3, 29, 22, 30, tzinfo=UTC))  # 00:30 after the short day
    assert time_of("--since", "23:00") == datetime(2026, 3, 29, 21, tzinfo=UTC)
    set_now(monkeypatch, datetime(2026, 10, 24, 22, 30, tzinfo=UTC))  # 00:30 of the long day
    assert coming_time_of("--until", "00:15") == datetime(2026, 10, 25, 23, 15, tzinfo=UTC)


def set_now(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, _: object = None) -> datetime:  # type: ignore[override]
            return moment

    monkeypatch.setattr("rollguard.cli.given_times.datetime", Stopped)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("15m", 900), ("2h", 7_200), ("7d", 604_800)]
)
def test_a_duration_leads_back_or_ahead(text: str, seconds: int) -> None:
    duration, now = timedelta(seconds=seconds), datetime.now(UTC)
    assert duration_of(text) == duration
    near = timedelta(seconds=60)
    assert now - duration <= time_of("--since", text) <= now - duration + near
    assert now + duration <= coming_time_of("--until", text) <= now + duration + near


def test_a_duration_may_be_longer_than_the_calendar() -> None:
    assert time_of("--since", "9999999d").year == 1970
    with pytest.raises(typer.BadParameter, match="9999"):
        coming_time_of("--for", "9999999d")


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "25:00", "3:60", "2026-02-30", "2026-13-01", "20261128", "2026-11-28T",
     "1.5h", "-2h", "2 h", "03:00Z", "2026-11-28T24:00",
     "٠٣:٠٠", "0001-01-01", "2026-11-28T03:00+25:00"],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    for read in (time_of, coming_time_of):
        with pytest.raises(typer.BadParameter, match="--since"):
            read("--since", text)
