"""The output of ``holds``, ``approve`` and ``dismiss``."""

from collections.abc import Sequence
from typing import Any

from db.rollbacks.records import RollbackRecord
from rollguard.cli.show.rollbacks import rule_of, versions_text
from rollguard.management.outcome_texts import why_not_applied
from rollguard.printing import data_of, print_json, print_line, print_note, print_table
from rollguard.value_texts import version_text
from schemas.rollback import RollbackOutcome


def show_holds(found: Sequence[RollbackRecord], as_json: bool) -> None:
    """Print held rollbacks, the newest first."""
    if as_json:
        print_json([data_of(record) for record in found])
        return
    columns = (("held at", "command"), "tool", ("versions", "rule", "why"), "until")
    print_table(columns, (_row_of(record) for record in found))


def _row_of(record: RollbackRecord) -> tuple[Any, ...]:
    return (
        record.applied_at,
        record.command_id,
        record.tool_name,
        versions_text(record),
        rule_of(record),
        record.hold_reason,
        record.expires_at,
    )


def show_approval(outcome: RollbackOutcome, as_json: bool) -> bool:
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


def show_dismissal(outcome: RollbackOutcome, as_json: bool) -> bool:
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
