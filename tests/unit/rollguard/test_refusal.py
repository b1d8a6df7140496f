"""The text of a refused deployment because of what a person said: one line that is not obeyed."""

from typing import Any
from uuid import UUID

import pytest

from rollguard.refusal import refusal_text
from schemas.deployment import DeploymentOutcome
from schemas.stops import Stop
from tests.support.inputs.hostile import HOSTILE, NOON, TEXT

WHO = "by ann at 2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("refusal", "fields", "expected"),
    [
        ("frozen", {"kind": "freeze"}, f"frozen {WHO}: why; "),
        (
            *("frozen", {"kind": "freeze", "tool_name": None, "expires_at": NOON}),
            f"frozen with all tools {WHO}, until 2026-01-31T12:00:00Z: why; ",
        ),
        (
            *("waits_for_resume", {"kind": "wait", "command_id": UUID(int=1)}),
            f"autonomous deployments wait for resume: rolled back {WHO}: why; "
            "`rollguard resume words` ends this; ",
        ),
        (
            *("waits_for_resume", {"kind": "wait", "reason": ""}),
            f"autonomous deployments wait for resume: rolled back {WHO}; "
            "`rollguard resume words` ends this; ",
        ),
        (
            *("rejected", {"kind": "rejection", "version_id": 7, "code_hash": "a"}),
            f"rejected {WHO}: why; it is the code of the version with the id 7; ",
        ),
    ],
)
def test_who_why_and_what_to_do(refusal: str, fields: dict[str, Any], expected: str) -> None:
    text = refusal_text(refused(refusal, **fields))
    assert text == f"refused: {refusal}: {expected}a person may deploy it all the same"


def test_a_hostile_person() -> None:
    text = refusal_text(refused("frozen", kind="freeze", reason=TEXT, set_by=TEXT))
    assert not HOSTILE.intersection(text)


def refused(refusal: str, **fields: Any) -> DeploymentOutcome:
    said = {"tool_name": "words", "reason": "why", "set_by": "ann", "began_at": NOON} | fields
    return DeploymentOutcome(
        deployment_id=UUID(int=1),
        tool_name="words",
        status="refused",
        refusal=refusal,
        stopped=Stop.model_validate(said),
        applied_at=NOON,
    )


@pytest.mark.parametrize("kind", ["freeze", "wait", "rejection"])
def test_the_outcome_survives_the_topic(kind: str) -> None:
    outcome = refused("x", kind=kind, tool_name=None)
    assert DeploymentOutcome.from_bytes(outcome.to_bytes()) == outcome
