"""What happened around a rollback: success rates of both versions, part by part."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from db.rollbacks.costs import CallsInPart, CallSpan

PARTS: Final = 40
_LEAST: Final = timedelta(minutes=2)
_MOST: Final = timedelta(hours=12)
_USUAL: Final = timedelta(minutes=10)


class Shown(NamedTuple):
    """The time that the chart shows."""

    begin: datetime
    end: datetime


@dataclass(frozen=True)
class PartRow:
    """The calls of one version in one part."""

    at: datetime
    version: str
    executions: int
    failures: int

    @property
    def success_rate(self) -> float:
        """The share that succeeded."""
        return 1 - self.failures / self.executions


@dataclass(frozen=True)
class Around:
    """The chart, and the table with the same numbers."""

    chart: dict[str, Any]
    rows: list[PartRow]
    part_s: float


def shown_time(span: CallSpan, now: datetime) -> Shown:
    """Return the time to show: ten minutes on both sides, more if it waited for longer."""
    middle = min(span.replaced_at or now, now)
    waited = max(middle - span.issued_at, timedelta())
    reach = min(max(waited * 2, _USUAL), _MOST)
    begin = middle - reach
    if span.began_at is not None and begin < span.began_at < span.issued_at:
        begin = min(span.began_at, middle - _LEAST)
    return Shown(begin, min(middle + reach, max(now, middle + _LEAST)))


def narrowed(shown: Shown, calls: Sequence[CallsInPart]) -> Shown | None:
    """Return a time that leaves out where there are no calls; None if that is not much."""
    parts = [each.part for each in calls]
    if not parts or max(parts) - min(parts) > PARTS // 3:
        return None
    length = (shown.end - shown.begin) / PARTS
    begin = shown.begin + length * max(min(parts) - 2, 0)
    end = min(shown.begin + length * (max(parts) + 3), shown.end)
    return Shown(begin, end)


def around_of(
    span: CallSpan, shown: Shown, calls: Sequence[CallsInPart], names: dict[int, str]
) -> Around:
    """Return the chart of these calls; ``names`` are the names of the versions by their ids."""
    length = (shown.end - shown.begin) / PARTS
    times = [shown.begin + length * number for number in range(PARTS)]
    rows = [
        PartRow(times[each.part], names.get(each.version_id, "?"), each.executions, each.failures)
        for each in calls
        if 0 <= each.part < PARTS
    ]
    versions = [span.from_version_id]
    if span.to_version_id is not None and span.to_version_id != span.from_version_id:
        versions.append(span.to_version_id)
    by_place = {(each.version_id, each.part): each for each in calls}
    series = [
        {
            "label": f"success rate of {names.get(version, '?')}",
            "scale": "rate",
            "values": [_rate(by_place.get((version, number))) for number in range(PARTS)],
        }
        for version in versions
    ]
    marks = [{"x": span.issued_at.timestamp(), "label": "decided", "kind": "bad"}]
    if span.replaced_at is not None:
        label = "rolled back" if span.is_applied else "replaced"
        marks.append({"x": span.replaced_at.timestamp(), "label": label, "kind": "good"})
    x = [each.timestamp() for each in times]
    return Around({"x": x, "series": series, "marks": marks}, rows, length.total_seconds())


def _rate(calls: CallsInPart | None) -> float | None:
    return None if calls is None else 1 - calls.failures / calls.executions
