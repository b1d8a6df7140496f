"""The errors of recent executions, for the applier: the rows keep only their classes.

They are in memory alone. After a restart, or if a tool moves to another detector, some of them are
not known; then the applier looks in Postgres.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from policy.rollbacks.explanations import decided_by, most_frequent, shown_error
from policy.state.log import LogRecord
from schemas.execution_entry import ExecutionEntry
from schemas.explanation import ERRORS_HEADER, errors_to_header
from schemas.failures.kept_class import kept_class
from schemas.settings import KeepErrors

_MOST: Final = 4_096


class RecentErrors:
    """The shown errors of the newest failed executions, by their ids; at most 4,096."""

    def __init__(self, keep_errors: KeepErrors) -> None:
        self._keep_errors = keep_errors
        self._errors: dict[UUID, str] = {}

    def note(self, records: Iterable[LogRecord]) -> None:
        """Remember the errors of the failures among these records."""
        for record in records:
            entry = record.entry
            if isinstance(entry, ExecutionEntry) and not entry.success:
                self._errors[entry.execution_id] = self._shown(entry)
        for oldest in list(self._errors)[: max(len(self._errors) - _MOST, 0)]:
            del self._errors[oldest]

    def header(self, details: dict[str, Any]) -> list[tuple[str, bytes]]:
        """Return the header of a command about these executions; empty if no error is known."""
        errors = [self._errors.get(each) for each in decided_by(details)]
        found = most_frequent(each for each in errors if each)
        return [(ERRORS_HEADER, errors_to_header(found))] if found else []

    def _shown(self, entry: ExecutionEntry) -> str:
        if self._keep_errors == "class":
            return kept_class(entry.error_type, entry.error) or ""
        return shown_error(entry.error or entry.error_type or "")
