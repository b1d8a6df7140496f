"""The output of ``holds``, ``approve`` and ``dismiss``."""

import sys
from collections.abc import Sequence

from db.rollbacks.records import RollbackRecord
from rollguard.management.outcome_texts import why_not_applied
from rollguard.printing import data_of, print_json, print_table, printable
from schemas.rollback import RollbackOutcome


def show_holds(found: Sequence[RollbackRecord], as_json: bool) -> None:
    """Print held rollbacks, the newest first."""
    if as_json:
        print_json([data_of(record) for record in found])
        return
    columns = ("held at, command", "tool", "what would be done")
    print_table(columns, (_line_of(record) for record in found))


def _line_of(record: RollbackRecord) -> tuple[str, str, str]:
    """Return few columns of several lines each, because a terminal has 80 characters."""
    return (
        f"{record.applied_at:%Y-%m-%d %H:%M:%S}\n{record.command_id}",
        record.tool_name,
        f"{record.from_version_number} → {record.to_version_number}\n"
        f"{record.tier} {record.reason}\n"
        f"until {record.expires_at:%Y-%m-%d %H:%M:%S}",
    )


def show_approval(outcome: RollbackOutcome, as_json: bool) -> bool:
    """Print the outcome of an approval, and return whether the rollback was carried out.

    If it was not, stderr says why.
    """
    if as_json:
        print_json(data_of(outcome))
    if outcome.status != "applied":
        print(f"rollguard: not approved: {why_not_applied(outcome, None)}", file=sys.stderr)
        return False
    if not as_json:
        tool = printable(outcome.tool_name)
        print(f"{tool}: version {outcome.to_version_number} is current again")
    return True


def show_dismissal(outcome: RollbackOutcome, as_json: bool) -> bool:
    """Print the outcome of a dismissal, and return whether the rollback was dismissed.

    If it was not, stderr says what happened to it before.
    """
    if as_json:
        print_json(data_of(outcome))
    if outcome.rejection != "dismissed":
        what = outcome.rejection or outcome.status
        print(f"rollguard: not dismissed: {what} before", file=sys.stderr)
        return False
    if not as_json:
        print(f"{printable(outcome.tool_name)}: dismissed, and stays as it is")
    return True
