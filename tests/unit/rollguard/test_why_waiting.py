"""What `check` and `health` say when a rule demands a rollback and nothing happens."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from db.rollbacks.records import RollbackRecord
from rollguard.operations.overview.why_waiting import waiting_text
from schemas.rules.rules import Rules
from schemas.stops import Pin

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ID = UUID(int=1)
HEALTH: dict[str, Any] = {
    "mode": None,
    "command_id": str(ID),
    "next_attempt_at": "2026-01-01T12:10:00Z",
}
GUARDED = Rules(policy="guarded")


def record(status: str, **fields: Any) -> RollbackRecord:
    names = RollbackRecord.model_fields
    values = dict.fromkeys(names) | {
        "command_id": ID,
        "tool_name": "parser",
        "tier": "standard",
        "reason": "regression",
        "details": {},
        "issued_by": "detector",
        "issued_at": NOW,
        "applied_at": NOW,
        "status": status,
    }
    return RollbackRecord.model_validate(values | fields)


def rejected(rejection: str, **fields: Any) -> RollbackRecord:
    return record("rejected", rejection=rejection, **fields)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, f"the applier, which has not decided command {ID} yet"),
        (
            record("held", expires_at=NOW + timedelta(days=1)),
            f"held: a person's answer to command {ID} until 2026-01-02T12:00:00Z",
        ),
        (
            record("held", hold_reason="fleet_budget"),
            f"held: a person's answer to command {ID} (so many tools were rolled back in a short "
            "time that another fault is likely)",
        ),
        (
            record("applied"),
            "the detector, which has not read yet that the rollback was carried out",
        ),
        (
            rejected("budget"),
            "budget: 10 automatic rollbacks within 86400 s; next attempt at 2026-01-01T12:10:00Z",
        ),
        (
            rejected("cooldown"),
            "cooldown until 2026-01-01T12:00:03Z; next attempt at 2026-01-01T12:10:00Z",
        ),
        (
            rejected("dismissed", dismissed_by="ann", dismissal="no"),
            "dismissed by ann: a new command when the odds have grown 1000 times, or when an "
            "immediate rule holds; next attempt at 2026-01-01T12:10:00Z",
        ),
        (
            rejected("no_previous_version"),
            "no_previous_version: no trusted version to roll back to; next attempt at "
            "2026-01-01T12:10:00Z",
        ),
        (
            rejected("outage"),
            "outage: many tools failed at once; a new command if it still fails afterwards",
        ),
        (rejected("expired"), "expired; next attempt at 2026-01-01T12:10:00Z"),
    ],
)
def test_what_came_of_the_command_is_said(found: RollbackRecord | None, text: str) -> None:
    rollbacks = [NOW - timedelta(seconds=away) for away in (2, 40)]
    assert waiting_text(HEALTH, None, found, rollbacks, GUARDED) == text


def test_a_pin_and_a_dry_run_come_first() -> None:
    fields = {"tool_name": "parser", "reason": "x", "pinned_by": "ann", "pinned_at": NOW}
    for expires_at, until in ((None, "it is unpinned"), (NOW, "2026-01-01T12:00:00Z")):
        pin = Pin.model_validate(fields | {"expires_at": expires_at})
        text = waiting_text(HEALTH, pin, rejected("pinned"), [], GUARDED)
        assert text == f"pinned until {until}"
        dry = waiting_text(HEALTH | {"mode": "observe"}, pin, None, [], GUARDED)
        assert dry == "nothing: a dry run, the decision is only published"


def test_before_the_first_command() -> None:
    text = waiting_text(HEALTH | {"command_id": None}, None, None, [], GUARDED)
    assert text == "the next failure: no command was issued yet"
