"""The refusal of code that was rolled back before."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from agents.applier.deployments.refusals import rolled_back_of
from db.rollbacks.trust import TrustLoss
from policy.rollbacks.explanations import decided_by
from rollguard.refusal import (
    DeploymentHeld,
    DeploymentRefused,
    refusal_text,
    require_version,
)
from schemas.deployment import DeploymentOutcome
from schemas.errors import Rejected
from schemas.rules.rules import Rules

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
IDS = [UUID(int=number) for number in (1, 2)]
TRACE = "Traceback (most recent call last):\n  File x\n    y\nValueError: no\n"


def trust_loss(**details: Any) -> TrustLoss:
    given = {"recent": list(map(str, IDS))} | details
    return TrustLoss(UUID(int=9), "immediate", "signature_change", given, 7, NOON)


def outcome(**fields: Any) -> DeploymentOutcome:
    given = {"deployment_id": IDS[0], "tool_name": "t", "status": "refused", "applied_at": NOON}
    return DeploymentOutcome.model_validate(given | fields)


def test_each_error_is_given_once_and_cut() -> None:
    errors = [TRACE, "ValueError: no", "KeyError:\n'a'", "x" * 400, "not among the first"]
    assert rolled_back_of(trust_loss(), errors, Rules()).errors == [
        "ValueError: no",
        "KeyError: 'a'",
        "x" * 299 + "…",
    ]


def test_evidence_that_cannot_be_read_is_left_out() -> None:
    assert rolled_back_of(trust_loss(evidence={"test": "?"}), [], Rules()).evidence is None


@pytest.mark.parametrize(
    ("recent", "ids"),
    [
        (list(map(str, IDS)), IDS),
        (["no id", str(IDS[1]), 5, None, {}], IDS[1:]),
        ("text", []),
        (None, []),
        ([str(IDS[0])] * 200, IDS[:1] * 100),
    ],
)
def test_ids_of_executions_are_read_from_any_details(recent: object, ids: list[UUID]) -> None:
    assert decided_by({"recent": recent}) == ids


def test_the_text_of_a_refusal_because_of_a_rollback() -> None:
    done = rolled_back_of(trust_loss(), ["TypeError: limit", "KeyError: 'a'"], Rules())
    refused = outcome(refusal="identical_to_rolled_back", rolled_back=done)
    text = refusal_text(refused)
    assert text == (
        "refused: identical_to_rolled_back: this code was rolled back at 2026-01-31T12:00:00Z, "
        "as the version with the id 7, by immediate signature_change (at least 2 failures are "
        "TypeError or AttributeError, of the newest 10 executions, within 300 s); it failed with "
        "TypeError: limit | KeyError: 'a'; `rollguard explain "
        "00000000-0000-0000-0000-000000000009` shows 2 executions; a person may deploy it all the "
        "same"
    )
    error = DeploymentRefused(refused)
    assert (str(error), error.outcome) == (text, refused)
    assert isinstance(error, Rejected)
    assert DeploymentOutcome.from_bytes(refused.to_bytes()) == refused


def test_the_text_of_a_held_deployment_and_of_one_that_the_gate_refuses() -> None:
    findings = ["The code does not parse.", "The check 'smoke' failed."]
    held = outcome(status="held", findings=findings)
    assert refusal_text(held) == (
        f"held: waits for a person: rollguard approve {held.deployment_id}; "
        "The code does not parse.; The check 'smoke' failed."
    )
    with pytest.raises(DeploymentHeld) as error:
        require_version(held)
    assert (str(error.value), error.value.outcome) == (refusal_text(held), held)
    assert isinstance(error.value, Rejected)
    refused = outcome(refusal="gate", findings=findings)
    with pytest.raises(DeploymentRefused, match=r"^refused: gate; The code does not parse.; The"):
        require_version(refused)
    assert require_version(outcome(status="created", version_id=7)) == 7


def test_the_text_of_another_refusal() -> None:
    assert refusal_text(outcome(refusal="code: too long")) == "refused: code: too long"
