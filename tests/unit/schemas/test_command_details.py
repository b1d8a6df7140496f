"""The details of a rollback command are small."""

import json
from typing import Any
from uuid import uuid4

import pytest

from schemas.errors import Rejected
from schemas.rollback import MAX_DETAILS_BYTES, RollbackCommand


def command(details: dict[str, Any] | None) -> bytes:
    fields = {
        "command_id": str(uuid4()),
        "tool_name": "words",
        "tier": "manual",
        "reason": "manual",
        "details": details,
        "issued_by": "ada",
        "issued_at": "2026-01-31T12:00:00Z",
    }
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    "details",
    [
        {"reason": "x" * (MAX_DETAILS_BYTES - 13)},
        {"executions": 3, "recent": [str(uuid4()) for _ in range(1_000)]},
    ],
)
def test_64_kib_are_accepted(details: dict[str, Any]) -> None:
    assert RollbackCommand.from_bytes(command(details)).details == details


@pytest.mark.parametrize(
    "details",
    [
        {"reason": "x" * (MAX_DETAILS_BYTES - 12)},
        {"x" * 70_000: 1},
        {"reason": "数" * 30_000},
        {"recent": [1] * 40_000},
        {"reason": "\ud800" * 30_000},
    ],
)
def test_more_is_a_dead_letter(details: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match=r"details: .*\d+ bytes as JSON, at most 65536"):
        RollbackCommand.from_bytes(command(details))


def test_null_says_the_same_as_nothing() -> None:
    assert RollbackCommand.from_bytes(command(None)).details == {}
