"""The output of ``rollbacks``, ``explain`` and ``rollback``."""

import sys
from collections.abc import Sequence
from typing import Any, Final

from db.rollbacks.records import RollbackRecord
from rollguard.operations.rollbacks import RollbackExplanation
from rollguard.printing import data_of, pairs, percent, print_json, print_table, printable
from schemas.rollback import RollbackOutcome, TargetChoice

_TARGETS: Final[dict[TargetChoice, str]] = {
    "earned": "the nearest that was surely better than what it replaces",
    "nearest": "the nearest that is trusted",
}


def show_rollbacks(found: Sequence[RollbackRecord], as_json: bool) -> None:
    """Print commands and their outcomes, the newest first."""
    if as_json:
        print_json([data_of(record) for record in found])
        return
    print_table(("applied at, command", "tool", "what"), (_line_of(record) for record in found))


def _line_of(record: RollbackRecord) -> tuple[str, str, str]:
    """Return few columns of several lines each, because a terminal has 80 characters."""
    versions = f"{record.from_version_number or '?'} → {record.to_version_number or '?'}"
    rule = record.reason if record.tier == "manual" else f"{record.tier} {record.reason}"
    breaks = "\nbreaks calls" if record.is_breaking_change else ""
    return (
        f"{record.applied_at:%Y-%m-%d %H:%M:%S}\n{record.command_id}",
        record.tool_name,
        f"{versions}, {status_text(record)}\n{rule}\nby {record.issued_by}{breaks}",
    )


def status_text(record: RollbackRecord) -> str:
    """Say what the outcome of a command is, and which person decided it, if one did."""
    if record.status == "held":
        return f"held until {record.expires_at:%Y-%m-%d %H:%M:%S}"
    if record.dismissed_by is not None:
        return f"rejected: dismissed by {record.dismissed_by}: {record.dismissal}"
    status = f"rejected: {record.rejection}" if record.rejection else record.status
    return status if record.approved_by is None else f"{status}, approved by {record.approved_by}"


def show_outcome(found: RollbackOutcome, as_json: bool) -> None:
    """Print the outcome of a rollback; on stderr, why it was rejected."""
    if as_json:
        print_json(data_of(found))
    elif found.status == "applied":
        print(f"{printable(found.tool_name)}: version {found.to_version_number} is current again")
    if found.status == "rejected":
        print(f"rollguard: rejected: {found.rejection}", file=sys.stderr)


def show_explanation(found: RollbackExplanation, as_json: bool) -> None:
    """Print one decision: the rule, the numbers, and the executions that it is based on."""
    if as_json:
        print_json(_document(found))
        return
    command = found.command
    pairs(
        {
            "command": command.command_id,
            "tool": command.tool_name,
            "status": status_text(command),
            "from version": command.from_version_number,
            "to version": command.to_version_number,
            "tier": command.tier,
            "reason": command.reason,
            "rule": found.rule,
            **({} if found.evidence is None else {"evidence": found.evidence}),
            "issued by": command.issued_by,
            "issued at": command.issued_at,
            "applied at": command.applied_at,
            **_target(command),
            **_numbers(command),
        }
    )
    if found.executions or found.unrecorded:
        print_table(
            ("executed at", "success", "error", "execution"),
            (
                *(
                    (each.executed_at, each.success, each.error, each.execution_id)
                    for each in found.executions
                ),
                *(("not recorded (yet)", None, None, each) for each in found.unrecorded),
            ),
            title="the executions that decided it, newest first",
        )


def _target(command: RollbackRecord) -> dict[str, str]:
    """Return how the target was chosen and what it breaks, if the command says so."""
    lines = {}
    if command.target is not None:
        lines["target"] = _TARGETS[command.target]
    if command.breaking_changes is not None:
        lines["breaks calls"] = "yes" if command.is_breaking_change else "no"
        lines["changes for callers"] = "\n".join(command.breaking_changes)
    return lines


def _numbers(command: RollbackRecord) -> dict[str, Any]:
    """Return the details, each under a name that no other line has."""
    lines = {f"details: {name}": value for name, value in command.details.items()}
    lines.pop("details: recent", None)
    rate = command.details.get("success_rate")
    if isinstance(rate, float):
        lines["details: success_rate"] = percent(rate)
    return lines


def _document(found: RollbackExplanation) -> dict[str, Any]:
    return {
        **data_of(found.command),
        "rule": found.rule,
        "evidence": found.evidence,
        "executions": [data_of(each) for each in found.executions],
        "unrecorded": list(found.unrecorded),
    }
