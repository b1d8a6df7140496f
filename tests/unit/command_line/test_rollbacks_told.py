"""What a person is told of a rollback that was not applied, and of what one breaks."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from db.rollbacks.records import RollbackRecord
from db.versions.held import HeldDeployment
from policy.rollbacks.costs import Calls, CallsAround, cost_of
from rollguard.cli.show.rollbacks import show_costs, show_explanation, show_rollbacks
from rollguard.cli.show.versions import hold_text_of, rollback_texts
from rollguard.management.outcome_texts import why_not_applied
from rollguard.operations.overview.rollback_costs import (
    Affected,
    Concern,
    Concerns,
    CostedRollback,
    EnginesAffected,
)
from rollguard.operations.rollbacks import RollbackExplanation
from schemas.rollback import RollbackOutcome
from tests.support.inputs.hostile import filled

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
COMMON: dict[str, Any] = {
    "command_id": UUID(int=1),
    "tool_name": "words",
    "from_version_id": 7,
    "to_version_id": 5,
    "to_version_number": 1,
    "tier": "immediate",
    "reason": "signature_change",
    "applied_at": NOON,
    "status": "applied",
}


def record(**fields: Any) -> RollbackRecord:
    given: dict[str, Any] = {
        "from_version_number": 2,
        "target": None,
        "is_breaking_change": None,
        "breaking_changes": None,
        "details": {},
        "issued_by": "detector",
        "issued_at": NOON,
        "rejection": None,
        "from_activation": 2,
        "expires_at": None,
        "approved_by": None,
        "dismissed_by": None,
        "dismissal": None,
        "hold_reason": None,
    }
    return RollbackRecord.model_validate(COMMON | given | fields)


def outcome(**fields: Any) -> RollbackOutcome:
    return RollbackOutcome.model_validate(COMMON | fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"status": "rejected", "rejection": "budget"}, "as often as it may be for now"),
        ({"status": "rejected", "rejection": "cooldown"}, "rolled back automatically only just"),
        ({"status": "held"}, "waits for a person: rollguard approve"),
        (
            {"status": "held", "hold_reason": "fleet_budget"},
            "waits for a person (so many tools were rolled back",
        ),
        ({"status": "rejected", "rejection": "not_current"}, "is not the current one of 'words'"),
    ],
)
def test_why_it_was_not_applied(fields: dict[str, Any], text: str) -> None:
    assert text in why_not_applied(outcome(**fields), None)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "2026-01-31T12:00:00Z immediate signature_change"),
        (
            {"status": "held", "expires_at": NOON},
            "2026-01-31T12:00:00Z immediate signature_change, held until 2026-01-31T12:00:00Z",
        ),
        (
            {"status": "held", "expires_at": NOON, "hold_reason": "fleet_budget"},
            "2026-01-31T12:00:00Z immediate signature_change, held: fleet_budget until "
            "2026-01-31T12:00:00Z",
        ),
        (
            {"status": "rejected", "rejection": "budget"},
            "2026-01-31T12:00:00Z immediate signature_change, rejected: budget",
        ),
        *(
            (
                {"status": "rejected", "dismissed_by": "ann", "dismissal": why},
                "2026-01-31T12:00:00Z immediate signature_change, rejected: dismissed by ann"
                + said,
            )
            for why, said in (("no", ": no"), ("", ""), (None, ""))
        ),
    ],
)
def test_a_version_says_what_was_not_applied(fields: dict[str, Any], text: str) -> None:
    class Version:
        rollbacks = (record(**fields),)

    found: Any = Version()
    assert rollback_texts(found) == [text]


@pytest.mark.parametrize(("why", "said"), [("no", ": no"), ("", ""), (None, "")])
def test_a_held_deployment_says_who_dismissed_it(why: str | None, said: str) -> None:
    held = filled(HeldDeployment, "a", status="dismissed", ended_at=NOON, dismissal=why)
    assert hold_text_of(held) == f"dismissed by a{said} at 2026-01-31T12:00:00Z"


def explained(capsys: pytest.CaptureFixture[str], **fields: Any) -> str:
    show_explanation(RollbackExplanation(record(**fields), "a rule", None, [], [], None), False)
    return " ".join(capsys.readouterr().out.split())


def test_an_explanation_says_how_the_target_was_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    said = explained(capsys, target="nearest", is_breaking_change=False, breaking_changes=[])
    assert "target the nearest that is trusted breaks calls no" in said
    said = explained(
        capsys, target="earned", is_breaking_change=True, breaking_changes=["execute() is gone."]
    )
    assert "surely better than what it replaces breaks calls yes" in said
    assert "execute() is gone." in said
    assert "target" not in explained(capsys)


def test_a_list_marks_what_breaks_calls(capsys: pytest.CaptureFixture[str]) -> None:
    show_rollbacks([record(is_breaking_change=True, breaking_changes=["x"])], False)
    assert "breaks calls" in capsys.readouterr().out
    show_rollbacks([record(is_breaking_change=False, breaking_changes=["x"])], False)
    assert "breaks calls" not in capsys.readouterr().out


def test_an_explanation_says_what_it_cost_and_whom(capsys: pytest.CaptureFixture[str]) -> None:
    calls = (Calls(4, 3), Calls(1, 1), Calls(2, 1), Calls(10, 0))
    cost = cost_of(CallsAround(*calls, is_cut=False, is_after_cut=False), "applied", "manual")
    sessions = Concerns(
        number=6, most=[Concern(name="s", failures=4, last_at=NOON)], without_name=1
    )
    engines = EnginesAffected(reloaded=2, not_reloaded=0, failed=0, unknown=1, behind=[])
    none = Concerns(number=0, most=[], without_name=5)
    found = RollbackExplanation(record(), "a rule", None, [], [], None, None, cost)
    affected = Affected(sessions=sessions, callers=none, engines=engines)
    show_explanation(replace(found, affected=affected), False)
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "cost 5 of 7 calls failed: 3 until the decision, 1 after it, "
        "1 later, by engines that still ran it" in said
    )
    assert "spared about 7 (4 to 9): an estimate: had 10 calls after the rollback" in said
    assert "sessions affected 6: s (4), …; 1 failed calls name none" in said
    assert "callers affected none is named; 5 failed calls" in said
    assert "engines: reloaded 2" in said


def test_a_list_says_what_each_cost_and_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    calls = (Calls(4, 3), Calls(), Calls(2, 1), Calls(10, 0))
    cost = cost_of(CallsAround(*calls, is_cut=True, is_after_cut=False), "applied", "manual")
    found = [CostedRollback(record(), cost), CostedRollback(record(from_version_id=None), None)]
    show_costs(found, False)
    said = capsys.readouterr().out
    assert "at least 4 of 6 calls failed: 3 until the decision, 1 later" in said
    assert "about 7 (3 to 9)" in said
    assert said.splitlines()[-1] == (
        "1 rollback listed, 1 carried out: at least 4 failed calls, about 7 spared (known of 1)."
    )
    show_costs(found, True)
    listed = json.loads(capsys.readouterr().out)
    assert [each["cost"] and each["cost"]["failures"] for each in listed] == [4, None]
