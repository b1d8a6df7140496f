"""Invariant: Postgres has each later verdict once, as it was said first."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from schemas.later_verdict import LaterVerdict
from tests.chaos.audit.final_state import FinalState
from tests.chaos.audit.invariants.violation import Violation


def wrong_verdicts(state: FinalState) -> Iterator[Violation]:
    """Yield verdicts that are missing, extra, or stored with other content."""
    stored = {(row["tool_name"], row["verdict_id"]): dict(row) for row in state.tables["verdicts"]}
    for (tool, verdict_id), said in _said_first(state).items():
        found = stored.pop((tool, verdict_id), None)
        if found != said:
            yield Violation("verdicts", tool, str(verdict_id), f"stored as {found}, not {said}")
    for tool, verdict_id in stored:
        yield Violation("verdicts", tool, str(verdict_id), "is not in the log")


def _said_first(state: FinalState) -> dict[tuple[str, UUID], dict[str, Any]]:
    """Return the row of each verdict; of repeated ones the first record counts."""
    said: dict[tuple[str, UUID], dict[str, Any]] = {}
    for tool, log in state.logs.items():
        for record, entry in log:
            if isinstance(entry, LaterVerdict):
                row = entry.model_dump(exclude={"kind", "by"})
                row |= {"judged_by": entry.by, "log_offset": record.offset}
                said.setdefault((tool, entry.verdict_id), row)
    return said
