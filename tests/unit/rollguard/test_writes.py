"""What the command line makes of its options, before anything is sent."""

import pytest

from rollguard.operations.records import execution_of
from schemas.errors import Rejected


def test_an_execution_has_what_was_said_of_it() -> None:
    said = {
        "version_id": 7,
        "duration_ms": 1.5,
        "session_id": "s",
        "caller": "c",
        "input_hash": "i",
    }
    execution = execution_of("words", "TypeError: no", **said)
    assert (execution.success, execution.error_class) == (False, "TypeError")
    assert {name: getattr(execution, name) for name in said} == said
    assert execution_of("words", None).success


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(Rejected, match="version_id"):
        execution_of("words", None, version_id=0)
