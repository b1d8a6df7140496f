"""What is made of a record of the two topics of outcomes."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from console.events.event import event_of, sent
from schemas.deployment import DeploymentOutcome
from schemas.rollback import RollbackOutcome, Status

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def rollback(status: Status) -> RollbackOutcome:
    return RollbackOutcome(
        command_id=uuid4(),
        tool_name="a\nb",
        status=status,
        reason="manual",
        tier="manual",
        breaking_changes=["one\r\ntwo", "\u2028"],
        applied_at=NOW,
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [("applied", "rollback"), ("rejected", "rollback"), ("observed", "rollback"), ("held", "hold")],
)
def test_a_rollback(status: Status, kind: str) -> None:
    outcome = rollback(status)
    event = event_of("rollbacks", 3, 7, outcome.to_bytes())
    assert event is not None
    assert (event.place, event.offset, event.kind) == (("rollbacks", 3), 7, kind)
    lines = sent(event.kind, event.data, "r0-d1").decode().split("\n")
    assert [line.partition(": ")[0] for line in lines] == ["event", "data", "id", "", ""]
    assert json.loads(lines[1].removeprefix("data: ")) == json.loads(outcome.to_bytes())


def test_a_deployment_that_waits() -> None:
    outcome = DeploymentOutcome(
        deployment_id=uuid4(), tool_name="parser", status="held", applied_at=NOW
    )
    event = event_of("deployments", 0, 0, outcome.to_bytes())
    assert event is not None
    assert event.kind == "hold"
    made = outcome.model_copy(update={"status": "created"})
    assert event_of("deployments", 0, 0, made.to_bytes()) == event._replace(
        kind="deployment", data=made.to_bytes()
    )


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\xff"])
def test_what_is_no_outcome_is_no_event(value: bytes | None) -> None:
    assert event_of("rollbacks", 0, 0, value) is None
    assert event_of("deployments", 0, 0, value) is None
