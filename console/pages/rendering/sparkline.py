"""A line of success rates over time, small enough for a row of a table."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from console.pages.rendering.texts import span_text
from rollguard.value_texts import percent

_WIDTH: Final = 100
_HEIGHT: Final = 24
_EDGE: Final = 2
"""So far from the edge runs a line of 100 % or of 0 %."""


class Sparkline(NamedTuple):
    """The points of the line, and the same in words."""

    points: tuple[str, ...]
    words: str


def sparkline(counts: Sequence[Sequence[int]], bucket_s: int) -> Sparkline | None:
    """Return the line of [begin in seconds, executions, failures] of buckets, the oldest first.

    None without executions. A single bucket is a level line.
    """
    rates = [(begin, 1 - failures / all_) for begin, all_, failures in counts if all_ > 0]
    if not rates:
        return None
    first, last = rates[0][0], rates[-1][0]
    points = [(_x(begin, first, last), _y(rate)) for begin, rate in rates]
    if len(points) == 1:
        points = [(0, points[0][1]), (_WIDTH, points[0][1])]
    least, newest = min(rate for _, rate in rates), rates[-1][1]
    span = span_text(last - first + bucket_s)
    words = f"success rate over {span}: lowest {percent(least)}, now {percent(newest)}"
    return Sparkline(tuple(f"{x:g},{y:g}" for x, y in points), words)


def _x(begin: int, first: int, last: int) -> float:
    return 0 if first == last else round((begin - first) / (last - first) * _WIDTH, 1)


def _y(rate: float) -> float:
    return round(_HEIGHT - _EDGE - rate * (_HEIGHT - 2 * _EDGE), 1)
