"""The failures of a tool, grouped by the class of their error."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from db.executions.queries import ExecutionRecord

_MOST_TEXT = 2_000


class ErrorGroup(NamedTuple):
    """Failures with the same class and origin."""

    error_type: str
    origin: str
    """Whose failures they are: `tool`, `caller` or `environment`."""
    number: int
    """How many there are."""
    last_at: datetime
    example: str
    """The newest error, cut if it is long."""
    versions: Sequence[int]
    """The ids of the versions that they are of."""


def grouped(failures: Sequence[ExecutionRecord]) -> list[ErrorGroup]:
    """Return groups of failures, the largest first; ``failures`` are the newest first."""
    groups: dict[tuple[str, str], list[ExecutionRecord]] = defaultdict(list)
    for each in failures:
        groups[each.error_type or "", each.error_origin or "tool"].append(each)
    found = [
        ErrorGroup(
            error_type or "no class",
            origin,
            len(members),
            members[0].executed_at,
            (members[0].error or "")[:_MOST_TEXT],
            sorted({each.version_id for each in members if each.version_id is not None}),
        )
        for (error_type, origin), members in groups.items()
    ]
    return sorted(found, key=lambda group: -group.number)
