"""The errors of recent executions, for the applier: the rows keep only their classes.

They are in memory alone. After a restart, or if a tool moves to another detector, some of them are
not known; then the applier looks in Postgres.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from policy.rollbacks.explanations import (
    decided_by,
    most_frequent,
    shown_error,
    verdict_that_decided,
)
from policy.state.log import LogRecord
from schemas.execution_entry import ExecutionEntry
from schemas.explanation import ERRORS_HEADER, errors_to_header
from schemas.failures.kept_class import kept_class
from schemas.later_verdict import LaterVerdict
from schemas.settings import KeepErrors

_MOST: Final = 4_096


class RecentErrors:
    """The shown errors of the newest failed executions, by their ids; at most 4,096.

    Of later verdicts it has why they were given, by the ids of the verdicts.
    """

    def __init__(self, keep_errors: KeepErrors) -> None:
        self._keep_errors = keep_errors
        self._errors: dict[UUID, str] = {}

    def note(self, records: Iterable[LogRecord]) -> None:
        """Remember the errors of the failures among these records, and the reasons of verdicts."""
        for record in records:
            entry = record.entry
            if isinstance(entry, ExecutionEntry) and not entry.success:
                self._errors[entry.execution_id] = self._shown(entry)
            elif isinstance(entry, LaterVerdict) and entry.why and self._keep_errors == "text":
                self._errors[entry.verdict_id] = shown_error(entry.why)
        for oldest in list(self._errors)[: max(len(self._errors) - _MOST, 0)]:
            del self._errors[oldest]

    def header(self, details: dict[str, Any]) -> list[tuple[str, bytes]]:
        """Return the header of a command with these details; empty if no error is known.

        If a later verdict decided, it has the reason of this verdict alone.
        """
        verdict = verdict_that_decided(details)
        ids = decided_by(details) if verdict is None else [verdict.verdict_id]
        errors = [self._errors.get(each) for each in ids]
        found = most_frequent(each for each in errors if each)
        return [(ERRORS_HEADER, errors_to_header(found))] if found else []

    def _shown(self, entry: ExecutionEntry) -> str:
        if self._keep_errors == "class":
            return kept_class(entry.error_type, entry.error) or ""
        return shown_error(entry.error or entry.error_type or "")
