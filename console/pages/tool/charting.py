"""The chart of a tool: success rate and latency, with its activations and rollbacks over them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from console.questions.tool_facts import Period
from db.executions.sampling import SPANS, Sample
from db.versions.reading import ActivationOfTool


class ChartRow(NamedTuple):
    """A span of the chart, for the table beside it."""

    begin: datetime
    executions: int
    success_rate: float | None
    median_ms: float | None
    slow_ms: float | None


class Chart(NamedTuple):
    """What a script draws, and the same as a table."""

    data: dict[str, Any]
    rows: Sequence[ChartRow]
    """The spans with executions, the newest first."""


def chart_of(
    samples: Iterable[Sample], activations: Iterable[ActivationOfTool], period: Period
) -> Chart:
    """Return the chart of a period."""
    by_number = {each.number: each for each in samples}
    found = [by_number.get(number) for number in range(SPANS)]
    begins = [period.begin + number * period.span for number in range(SPANS)]
    data = {
        "x": [_middle(begin, period.span) for begin in begins],
        "series": [
            {
                "label": "success rate",
                "scale": "rate",
                "values": [each and each.success_rate for each in found],
            },
            {
                "label": "median latency",
                "scale": "ms",
                "values": [each and each.median_ms for each in found],
            },
            {
                "label": "95 % are faster than",
                "scale": "ms",
                "values": [each and each.slow_ms for each in found],
            },
        ],
        "marks": [
            _mark(each) for each in activations if period.begin <= each.began_at <= period.end
        ],
    }
    rows = [
        ChartRow(begin, each.executions, each.success_rate, each.median_ms, each.slow_ms)
        for begin, each in zip(begins, found, strict=True)
        if each is not None
    ]
    return Chart(data, rows[::-1])


def _mark(activation: ActivationOfTool) -> dict[str, Any]:
    is_rollback = activation.activated_by_kind == "rollback"
    return {
        "x": round(activation.began_at.timestamp()),
        "label": f"{'back to ' * is_rollback}v{activation.version_number}",
        "kind": "bad" if is_rollback else "good",
    }


def _middle(begin: datetime, span: timedelta) -> int:
    return round((begin + span / 2).timestamp())
