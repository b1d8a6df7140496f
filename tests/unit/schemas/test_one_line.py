"""Fields of one line refuse line breaks when they come in; what was stored before is still read."""

import json
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from db.rollbacks.records import RollbackRecord
from rollguard.management.automatic_commands import AutomaticCommands
from rollguard.operations import pins
from rollguard.operations.holds import _command_fields
from rollguard.person_name import valid_name
from schemas.deployment import Deployment, ToolVersion
from schemas.errors import Rejected
from schemas.execution import Activation
from schemas.execution_entry import read_execution_entry
from schemas.message import Message
from schemas.rollback import RollbackCommand
from schemas.settings import Settings

NOON = "2026-01-31T12:00:00Z"
ID = "00000000-0000-0000-0000-000000000001"
LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
DEPLOYMENT: dict[str, Any] = {
    "deployment_id": ID,
    "tool_name": "words",
    "code": "x = 1\n",
    "created_by": "human",
    "improvement_type": "bug_fix",
    "improvement_reason": "why\nin two lines",
    "deployed_at": NOON,
}
COMMAND: dict[str, Any] = {
    "command_id": ID,
    "tool_name": "words",
    "tier": "manual",
    "reason": "manual",
    "details": {"reason": "why\nin two lines"},
    "issued_by": "ann",
    "issued_at": NOON,
}
ACTIVATION: dict[str, Any] = {
    "tool_name": "words\n",
    "version_id": 1,
    "version_number": 1,
    "code_hash": "0" * 64,
    "activation": 1,
    "activated_at": NOON,
    "activated_by": {"kind": "deployment", "id": ID},
}


@pytest.mark.parametrize("line_break", LINE_BREAKS, ids=ascii)
@pytest.mark.parametrize(
    ("kind", "good", "field"),
    [
        (Deployment, DEPLOYMENT, "tool_name"),
        (Deployment, DEPLOYMENT, "improvement_type"),
        (Deployment, DEPLOYMENT, "approved_by"),
        (Deployment, DEPLOYMENT, "dismissed_by"),
        (RollbackCommand, COMMAND, "issued_by"),
        (RollbackCommand, COMMAND, "approved_by"),
        (RollbackCommand, COMMAND, "dismissed_by"),
    ],
)
def test_a_line_break_is_refused(
    kind: type[Message], good: dict[str, Any], field: str, line_break: str
) -> None:
    kind.from_bytes(json.dumps(good).encode())
    with pytest.raises(Rejected, match=f"^{field}: Value error, line breaks are not allowed$"):
        kind.from_bytes(json.dumps(good | {field: f"ann{line_break}tier  manual"}).encode())
    with pytest.raises(Rejected, match=field):
        kind.from_bytes(json.dumps(good | {field: f"ann{line_break}"}).encode())


@pytest.mark.parametrize("field", ["kind", "object"])
def test_an_accepted_break_is_named_on_one_line(field: str) -> None:
    accepted = {"reason": "two\nlines", field: "execute"}
    Deployment.from_bytes(json.dumps(DEPLOYMENT | {"accepted_breaks": [accepted]}).encode())
    forged = accepted | {field: "execute\n"}
    with pytest.raises(Rejected, match="accepted_breaks"):
        Deployment.from_bytes(json.dumps(DEPLOYMENT | {"accepted_breaks": [forged]}).encode())


def test_a_person_s_name_is_one_line() -> None:
    assert valid_name("ann", "by") == "ann"
    for wrong in ("ann\nroot", "a" * 256):
        with pytest.raises(Rejected, match=r"^by: "):
            valid_name(wrong, "by")


async def test_whoever_decides_is_named_on_one_line() -> None:
    commands = AutomaticCommands(Settings(), Mock())
    with pytest.raises(Rejected, match=r"^issued_by: "):
        await commands.for_reason("words", 1, "consecutive_failures", "ann\nroot")
    with pytest.raises(Rejected, match=r"^by: "):
        await pins.pin(Settings(), "words", "why", "ann\nroot", None)


def test_a_tool_that_has_such_a_name_already_is_still_judged_and_rolled_back() -> None:
    name = "words\n"
    Activation.from_bytes(json.dumps(ACTIVATION).encode())
    version = ACTIVATION | {
        "code": "",
        "created_by": "human",
        "improvement_type": "two\nlines",
        "is_breaking_change": False,
        "breaking_changes": [],
        "accepted_breaks": [{"kind": "two\nlines", "reason": "x"}],
        "deployment_id": ID,
    }
    assert ToolVersion.from_bytes(json.dumps(version).encode()).as_activation().tool_name == name
    RollbackCommand.from_bytes(json.dumps(COMMAND | {"tool_name": name}).encode())
    execution = {"execution_id": ID, "tool_name": name, "success": True, "executed_at": NOON}
    assert read_execution_entry(json.dumps(execution).encode()) is not None


def test_a_hold_that_was_stored_with_a_line_break_can_be_answered() -> None:
    stored = RollbackRecord(
        command_id=UUID(ID),
        tool_name="words",
        from_version_id=2,
        from_version_number=2,
        to_version_id=None,
        to_version_number=None,
        target=None,
        is_breaking_change=None,
        breaking_changes=None,
        hold_reason=None,
        tier="immediate",
        reason="signature_change",
        details={},
        issued_by="two\nlines\u2028three",
        issued_at=datetime(2026, 1, 31, tzinfo=UTC),
        status="held",
        rejection=None,
        applied_at=datetime(2026, 1, 31, tzinfo=UTC),
        from_activation=2,
        expires_at=None,
        approved_by=None,
        dismissed_by=None,
        dismissal=None,
    )
    answer = {"approved_by": "ann", "issued_at": datetime(2026, 1, 31, tzinfo=UTC)}
    command = RollbackCommand.model_validate(_command_fields(stored) | answer)
    assert command.issued_by == "two lines three"
