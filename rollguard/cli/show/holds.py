"""The output of ``holds``, ``approve`` and ``dismiss``."""

from collections.abc import Sequence
from typing import Any

from db.versions.held import HeldDeployment
from rollguard.cli.show.rollbacks import rule_of, versions_text
from rollguard.management.outcome_texts import why_not_applied
from rollguard.operations.waiting import Held
from rollguard.printing import data_of, print_json, print_line, print_note, print_table
from rollguard.refusal import refusal_text
from rollguard.value_texts import version_text
from schemas.deployment import DISMISSED, DeploymentOutcome
from schemas.rollback import RollbackOutcome


def show_holds(held: Sequence[Held], as_json: bool) -> None:
    """Print held rollbacks and deployments, the newest first."""
    if as_json:
        print_json([{"kind": _kind_of(each)} | data_of(each) for each in held])
        return
    columns = (("held at", "id"), "tool", ("what", "rule", "why"), "until")
    print_table(columns, map(_row_of, held))


def _kind_of(record: Held) -> str:
    return "deployment" if isinstance(record, HeldDeployment) else "rollback"


def _row_of(record: Held) -> tuple[Any, ...]:
    if isinstance(record, HeldDeployment):
        return (
            record.held_at,
            record.deployment_id,
            record.tool_name,
            f"deployment by {record.author or record.created_by}",
            record.improvement_type,
            record.findings,
            record.expires_at,
        )
    return (
        record.applied_at,
        record.command_id,
        record.tool_name,
        versions_text(record),
        rule_of(record),
        record.hold_reason,
        record.expires_at,
    )


def show_approval(outcome: RollbackOutcome | DeploymentOutcome, as_json: bool) -> bool:
    """Print the outcome of an approval, and return whether it was carried out.

    If it was not, stderr says why.
    """
    if isinstance(outcome, DeploymentOutcome):
        return _show_deployment_approval(outcome, as_json)
    return _show_rollback_approval(outcome, as_json)


def show_dismissal(outcome: RollbackOutcome | DeploymentOutcome, as_json: bool) -> bool:
    """Print the outcome of a dismissal, and return whether it was dismissed.

    If it was not, stderr says what happened to it before.
    """
    if isinstance(outcome, DeploymentOutcome):
        return _show_deployment_dismissal(outcome, as_json)
    return _show_rollback_dismissal(outcome, as_json)


def _show_rollback_approval(outcome: RollbackOutcome, as_json: bool) -> bool:
    """Print the outcome of an approval, and return whether the rollback was carried out.

    If it was not, stderr says why.
    """
    if as_json:
        print_json(data_of(outcome))
    if outcome.status != "applied":
        print_note(f"not approved: {why_not_applied(outcome, outcome.to_version_id)}")
        return False
    if not as_json:
        current = version_text(outcome.to_version_number, outcome.to_version_id)
        print_line(f"{outcome.tool_name}: {current} is current again")
    return True


def _show_rollback_dismissal(outcome: RollbackOutcome, as_json: bool) -> bool:
    """Print the outcome of a dismissal, and return whether the rollback was dismissed.

    If it was not, stderr says what happened to it before.
    """
    if as_json:
        print_json(data_of(outcome))
    if outcome.rejection != "dismissed":
        print_note(f"not dismissed: {outcome.rejection or outcome.status} before")
        return False
    if not as_json:
        print_line(f"{outcome.tool_name}: dismissed, and stays as it is")
    return True


def _show_deployment_approval(outcome: DeploymentOutcome, as_json: bool) -> bool:
    """Print the outcome of an approval, and return whether the code is a version.

    If it is not, stderr says why.
    """
    if as_json:
        print_json(data_of(outcome))
    if outcome.version_id is None:
        print_note(f"not approved: {refusal_text(outcome)}")
        return False
    if not as_json:
        current = version_text(outcome.version_number, outcome.version_id)
        is_new = "is current" if outcome.status == "created" else "had this code already"
        print_line(f"{outcome.tool_name}: {current} {is_new}")
    return True


def _show_deployment_dismissal(outcome: DeploymentOutcome, as_json: bool) -> bool:
    """Print the outcome of a dismissal, and return whether the deployment was dismissed.

    If it was not, stderr says what happened to it before.
    """
    if as_json:
        print_json(data_of(outcome))
    if not (outcome.refusal or "").startswith(DISMISSED):
        print_note(f"not dismissed: {outcome.refusal or outcome.status} before")
        return False
    if not as_json:
        print_line(f"{outcome.tool_name}: dismissed, and stays as it is")
    return True
