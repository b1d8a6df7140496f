"""The output of ``rollbacks``, ``explain`` and ``rollback``."""

from collections.abc import Sequence
from typing import Any, Final

from db.executions.queries import ExecutionRecord
from db.rollbacks.records import RollbackRecord
from policy.rollbacks.costs import RollbackCost, cost_text, spared_text, total_text
from rollguard.cli.show.verdicts import verdict_texts
from rollguard.management.outcome_texts import why_not_applied
from rollguard.operations.overview.rollback_costs import (
    Affected,
    Concerns,
    CostedRollback,
    total_cost,
)
from rollguard.operations.rollbacks import RollbackExplanation
from rollguard.printing import (
    data_of,
    print_json,
    print_line,
    print_note,
    print_pairs,
    print_table,
)
from rollguard.value_texts import (
    dismissal_text,
    failures_text,
    hold_text,
    time_text,
    version_text,
)
from schemas.explanation import Explanation
from schemas.rollback import RollbackOutcome, TargetChoice

_MOST_CONCERNED: Final = 5
_TARGETS: Final[dict[TargetChoice, str]] = {
    "earned": "the nearest that was surely better than what it replaces",
    "nearest": "the nearest that is trusted",
}


def show_rollbacks(found: Sequence[RollbackRecord], as_json: bool) -> None:
    """Print commands and their outcomes, the newest first."""
    if as_json:
        print_json([data_of(record) for record in found])
        return
    what = ("versions", "status", "rule", "by", "breaks")
    columns = (("applied at", "command"), "tool", what)
    print_table(columns, (_row_of(record) for record in found))


def show_costs(found: Sequence[CostedRollback], as_json: bool) -> None:
    """Print commands with what each cost and spared, and the sum."""
    if as_json:
        print_json(
            [
                data_of(record) | {"cost": None if cost is None else data_of(cost)}
                for record, cost in found
            ]
        )
        return
    what = ("versions", "status", "rule")
    columns = (("applied at", "command"), "tool", what, ("cost", "spared"))
    print_table(columns, (_cost_row_of(*each) for each in found))
    print_line(total_text(total_cost(found)))


def _cost_row_of(record: RollbackRecord, cost: RollbackCost | None) -> tuple[Any, ...]:
    return (
        record.applied_at,
        record.command_id,
        record.tool_name,
        versions_text(record),
        status_text(record),
        rule_of(record),
        None if cost is None else cost_text(cost),
        spared_text(cost),
    )


def _row_of(record: RollbackRecord) -> tuple[Any, ...]:
    return (
        record.applied_at,
        record.command_id,
        record.tool_name,
        versions_text(record),
        status_text(record),
        rule_of(record),
        f"by {record.issued_by}",
        "breaks calls" if record.is_breaking_change else "",
    )


def versions_text(record: RollbackRecord) -> str:
    """Return which version a command replaces by which: ``v2 (id 7) → v1 (id 5)``."""
    return (
        f"{version_text(record.from_version_number, record.from_version_id)} → "
        f"{version_text(record.to_version_number, record.to_version_id)}"
    )


def rule_of(record: RollbackRecord) -> str:
    """Return the tier and the reason of a command; only ``manual`` for a person's."""
    return record.reason if record.tier == "manual" else f"{record.tier} {record.reason}"


def status_text(record: RollbackRecord) -> str:
    """Say what the outcome of a command is, and which person decided it, if one did."""
    if record.status == "held" and record.expires_at is not None:
        why = f": {record.hold_reason}" if record.hold_reason else ""
        return f"held{why} until {time_text(record.expires_at)}"
    if record.dismissed_by is not None:
        return f"rejected: {dismissal_text(record.dismissed_by, record.dismissal)}"
    status = f"rejected: {record.rejection}" if record.rejection else record.status
    return status if record.approved_by is None else f"{status}, approved by {record.approved_by}"


def show_outcome(
    found: RollbackOutcome, target: int, target_number: int | None, as_json: bool
) -> None:
    """Print the outcome of a rollback to a version; on stderr, why it was not carried out."""
    if as_json:
        print_json(data_of(found))
    if found.status != "applied":
        word = found.rejection or found.status
        print_note(f"{found.status}: {word}: {why_not_applied(found, target, target_number)}")
    elif not as_json:
        current = version_text(found.to_version_number, found.to_version_id)
        print_line(f"{found.tool_name}: {current} is current again")


def show_explanation(found: RollbackExplanation, as_json: bool) -> None:
    """Print one decision: the rule, the numbers, and the executions that it is based on."""
    if as_json:
        print_json(found.data())
        return
    command = found.command
    print_pairs(
        {
            "command": command.command_id,
            "tool": command.tool_name,
            "status": status_text(command),
            **({} if command.hold_reason is None else {"held": hold_text(command.hold_reason)}),
            "from version": version_text(command.from_version_number, command.from_version_id),
            "to version": version_text(command.to_version_number, command.to_version_id),
            "tier": command.tier,
            "reason": command.reason,
            "rule": found.rule,
            **({} if found.evidence is None else {"evidence": found.evidence}),
            **_facts(command.explanation),
            "issued by": command.issued_by,
            "issued at": command.issued_at,
            "applied at": command.applied_at,
            **_target(command),
            **_failures(found),
            **cost_lines(found.cost),
            **_affected(found.affected),
            "details": {name: value for name, value in command.details.items() if name != "recent"},
        }
    )
    if found.executions or found.unrecorded:
        print_table(
            ("executed at", "success", "error", "execution"),
            (
                *(
                    (each.executed_at, each.success, _error_of(each), each.execution_id)
                    for each in found.executions
                ),
                *(("not recorded (yet)", None, None, each) for each in found.unrecorded),
            ),
            title="the executions that decided it, newest first",
        )


def _facts(explanation: Explanation | None) -> dict[str, Any]:
    """Return the numbers that were in force, and what the version had changed and how it failed."""
    if explanation is None:
        return {}
    return {
        "in force": [f"{name} {value:g}" for name, value in explanation.thresholds.items()],
        "errors": [f"{each.executions} × {each.error}" for each in explanation.errors],
        "it had changed": explanation.breaking_changes,
    }


def _error_of(execution: ExecutionRecord) -> str | None:
    """Return the error, or its class and when the text was erased."""
    if execution.erased_at is None:
        return execution.error or execution.error_type
    known = "" if execution.error_type is None else f"{execution.error_type}; "
    return f"{known}erased at {time_text(execution.erased_at)}"


def _failures(found: RollbackExplanation) -> dict[str, Any]:
    """Return how many failures of the replaced version are recorded, and whose they are."""
    if found.failures is None:
        return {}
    failures, caller, environment = found.failures
    return {"failures": failures_text(failures, caller + environment), **_verdicts(found)}


def _verdicts(found: RollbackExplanation) -> dict[str, Any]:
    """Return what was said later of the executions of the replaced version."""
    verdicts = found.later_verdicts
    if verdicts is None or not verdicts.judged:
        return {}
    return {"later verdicts": verdict_texts(verdicts)}


def cost_lines(cost: RollbackCost | None) -> dict[str, Any]:
    """Return what a rollback cost and spared; nothing if that is not known."""
    if cost is None:
        return {}
    spared = cost.how if cost.spared is None else f"{spared_text(cost)}: {cost.how}"
    return {"cost": cost_text(cost), "spared": spared}


def _affected(affected: Affected | None) -> dict[str, Any]:
    """Return whom the failed calls concern, and which engines still run the version."""
    if affected is None:
        return {}
    engines = affected.engines
    return {
        "sessions affected": _concerns(affected.sessions),
        "callers affected": _concerns(affected.callers),
        "engines": {
            "reloaded": engines.reloaded,
            "not reloaded": engines.not_reloaded,
            "cannot load": engines.failed,
            "unknown": engines.unknown,
        },
        "not reloaded": [each.engine_id for each in engines.behind],
    }


def _concerns(found: Concerns) -> str:
    named = ", ".join(f"{each.name} ({each.failures})" for each in found.most[:_MOST_CONCERNED])
    more = "" if found.number <= _MOST_CONCERNED else ", …"
    text = f"{found.number}: {named}{more}" if found.number else "none is named"
    return f"{text}; {found.without_name} failed calls name none" if found.without_name else text


def _target(command: RollbackRecord) -> dict[str, Any]:
    """Return how the target was chosen and what it breaks, if the command says so."""
    lines: dict[str, Any] = {}
    if command.target is not None:
        lines["target"] = _TARGETS[command.target]
    if command.breaking_changes is not None:
        lines["breaks calls"] = bool(command.is_breaking_change)
        lines["changes for callers"] = command.breaking_changes
    return lines
