"""What ``rollbacks`` and ``explain`` print: what was decided, and why."""

from collections.abc import Sequence
from typing import Any, Final

from db.rollbacks.records import RollbackRecord
from rollguard.operations.reads import Explanation
from rollguard.printing import data_of, pairs, percent, print_json, print_table
from schemas.rollback import TargetChoice

_TARGETS: Final[dict[TargetChoice, str]] = {
    "earned": "the nearest that did surely better than what it replaces",
    "nearest": "the nearest that is trusted",
}


def rollbacks(found: Sequence[RollbackRecord], as_json: bool) -> None:
    """Commands and what came of them, the newest first."""
    if as_json:
        print_json([data_of(record) for record in found])
        return
    print_table(("applied at, command", "tool", "what"), (_line_of(record) for record in found))


def _line_of(record: RollbackRecord) -> tuple[str, str, str]:
    """Few columns, each of some lines: a terminal has 80 characters."""
    versions = f"{record.from_version_number or '?'} → {record.to_version_number or '?'}"
    rule = record.reason if record.tier == "manual" else f"{record.tier} {record.reason}"
    breaks = "\nbreaks calls" if record.is_breaking_change else ""
    return (
        f"{record.applied_at:%Y-%m-%d %H:%M:%S}\n{record.command_id}",
        record.tool_name,
        f"{versions}, {standing(record)}\n{rule}\nby {record.issued_by}{breaks}",
    )


def standing(record: RollbackRecord) -> str:
    """What came of a command, and who said so."""
    if record.status == "held":
        return f"held until {record.expires_at:%Y-%m-%d %H:%M:%S}"
    if record.dismissed_by is not None:
        return f"rejected: dismissed by {record.dismissed_by}: {record.dismissal}"
    status = f"rejected: {record.rejection}" if record.rejection else record.status
    return status if record.approved_by is None else f"{status}, approved by {record.approved_by}"


def explanation(found: Explanation, as_json: bool) -> None:
    """One decision: the rule, the numbers, and the executions that made it."""
    if as_json:
        print_json(_document(found))
        return
    command = found.command
    pairs(
        {
            "command": command.command_id,
            "tool": command.tool_name,
            "status": standing(command),
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
            title="the executions that it rests on, newest first",
        )


def _target(command: RollbackRecord) -> dict[str, str]:
    """How the version was chosen and what it breaks, where that was asked."""
    told = {}
    if command.target is not None:
        told["target"] = _TARGETS[command.target]
    if command.breaking_changes is not None:
        told["breaks calls"] = "yes" if command.is_breaking_change else "no"
        told["changes for callers"] = "\n".join(command.breaking_changes)
    return told


def _numbers(command: RollbackRecord) -> dict[str, Any]:
    """The details, each under a name that no other line has."""
    told = {f"details: {name}": value for name, value in command.details.items()}
    told.pop("details: recent", None)
    rate = command.details.get("success_rate")
    if isinstance(rate, float):
        told["details: success_rate"] = percent(rate)
    return told


def _document(found: Explanation) -> dict[str, Any]:
    return {
        **data_of(found.command),
        "rule": found.rule,
        "evidence": found.evidence,
        "executions": [data_of(each) for each in found.executions],
        "unrecorded": list(found.unrecorded),
    }
