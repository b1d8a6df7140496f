"""The page of two versions compared."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.fields import parse_time

MOST_LINES: Final = 4_000
"""So many lines of a diff are shown; nobody reads more, and a browser takes long over them."""
_KINDS: Final = {"+": "added", "-": "removed", "@": "place"}


class Side(NamedTuple):
    """One of the two versions."""

    number: int
    version_id: int
    created_at: datetime
    created_by: str
    why: str
    is_current: bool
    success_rate: float | None
    executions: int


class View(NamedTuple):
    """The page."""

    name: str
    before: Side
    after: Side
    is_breaking: bool
    findings: Sequence[Mapping[str, Any]]
    change: str
    """How the success rate changed; "" if that is not known."""
    lines: Sequence[tuple[str, str]]
    """Of the diff: each line after its kind, which is ``added``, ``removed``, ``place`` or ""."""
    left_out: int
    """How many lines of the diff are not shown."""


def comparison_view(tool: str, compared: Mapping[str, Any]) -> View:
    """Return the page of what ``ToolVersionManager.compare_records`` returned."""
    lines = list(_lines(compared["code_diff"]))
    return View(
        name=tool,
        before=_side(compared, "from"),
        after=_side(compared, "to"),
        is_breaking=compared["is_breaking_change"],
        findings=compared["findings"],
        change=_change(compared["metrics_comparison"]),
        lines=lines[:MOST_LINES],
        left_out=max(0, len(lines) - MOST_LINES),
    )


def _lines(diff: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a unified diff, without its header."""
    is_header = True
    for line in diff.removesuffix("\n").split("\n"):
        if line.startswith("@@"):
            is_header = False
        if not is_header:
            yield _KINDS.get(line[:1], ""), line


def _side(compared: Mapping[str, Any], which: str) -> Side:
    version, metrics = compared[f"{which}_version"], compared[f"{which}_metrics"]
    rate, created = metrics["success_rate"], version["created_at"]
    return Side(
        number=version["version_number"],
        version_id=version["version_id"],
        created_at=created if isinstance(created, datetime) else parse_time(created),
        created_by=version["created_by"],
        why=version["improvement_reason"] or "",
        is_current=version["is_current"],
        success_rate=None if rate != rate else rate,  # noqa: PLR0124 - NaN: not known
        executions=metrics["total_executions"],
    )


def _change(metrics: Mapping[str, Any]) -> str:
    change, (low, high) = metrics["success_rate_change"], metrics["confidence_interval"]
    if change != change:  # noqa: PLR0124 - NaN: not known
        return ""
    sure = f"{metrics['confidence']:.0%}".replace("%", " %")
    points, lowest, highest = (f"{100 * each:+.1f}" for each in (change, low, high))
    return f"{points} percentage points ({sure} confidence: {lowest} to {highest})"
