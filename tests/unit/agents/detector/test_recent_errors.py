"""The errors and reasons that the detector gives the applier with a command."""

from typing import Any
from uuid import UUID

import pytest

from agents.detector.recent_errors import RecentErrors
from policy.state.log import LogRecord
from schemas.execution_entry import ExecutionEntry
from schemas.explanation import SeenError, errors_in
from schemas.later_verdict import LaterVerdict
from schemas.settings import KeepErrors
from tests.support.inputs.stored import execution, verdict

FAILED = ExecutionEntry.of(execution(success=False, error="KeyError: 'Ann'", error_type=None))
BAD = verdict(why="Ann says\nso", execution_id=UUID(int=1))


def given_with(details: dict[str, Any], keep: KeepErrors) -> list[SeenError]:
    found = RecentErrors(keep)
    entries: tuple[ExecutionEntry | LaterVerdict, ...] = (FAILED, BAD, verdict(why="another"))
    found.note(LogRecord.of(offset, 0, entry) for offset, entry in enumerate(entries))
    return errors_in(found.header(details))


@pytest.mark.parametrize(("keep", "text"), [("text", "KeyError: 'Ann'"), ("class", "KeyError")])
def test_of_executions(keep: KeepErrors, text: str) -> None:
    details = {"recent": [str(FAILED.execution_id)]}
    assert given_with(details, keep) == [SeenError(error=text, executions=1)]


@pytest.mark.parametrize(("keep", "texts"), [("text", ["Ann says so"]), ("class", [])])
def test_of_the_verdict_that_decided_alone(keep: KeepErrors, texts: list[str]) -> None:
    named = {"verdict_id": str(BAD.verdict_id), "execution_id": str(BAD.execution_id)}
    details = {"recent": [str(FAILED.execution_id)], "later_verdict": named}
    assert [each.error for each in given_with(details, keep)] == texts
