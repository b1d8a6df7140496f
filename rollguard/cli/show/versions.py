"""The output of ``deploy``, ``current``, ``history`` and ``show``."""

from typing import Any

from rich.console import Console
from rich.syntax import Syntax

from db.rollbacks.records import RollbackRecord
from db.versions.held import HeldDeployment
from db.versions.reading import VersionRecord
from rollguard.cli.show.rollbacks import rule_of, status_text
from rollguard.cli.show.stops import stop_texts
from rollguard.cli.show.verdicts import verdict_texts
from rollguard.operations.rollbacks import named_executions
from rollguard.operations.versions import FoundVersion, ToolHistory
from rollguard.printing import (
    data_of,
    on_terminal,
    print_json,
    print_pairs,
    print_table,
    print_unchanged,
)
from rollguard.value_texts import (
    dismissal_text,
    failures_text,
    percent,
    time_text,
    verdicts_text,
    version_text,
)
from schemas.deployment import Check
from schemas.printable import printable


def show_version(found: FoundVersion, as_json: bool, *, in_full: bool = False) -> None:
    """Print one version with its metrics; in full also the commands about it and its code."""
    record = found.record
    if as_json:
        print_json(data_of(record))
        return
    print_pairs(_values(found))
    if in_full:
        for command in record.rollbacks:
            print_pairs({"command": command.command_id, "executions": named_executions(command)})
        print()
        _print_code(record.code)


def _values(found: FoundVersion) -> dict[str, Any]:
    record = found.record
    return {
        "tool_name": record.tool_name,
        "version": version_text(record.version_number, record.version_id),
        "is_current": record.is_current,
        "created_at": record.created_at,
        "created_by": record.created_by,
        "improvement_type": record.improvement_type,
        "improvement_reason": record.improvement_reason,
        "previous_version": version_text(found.previous_number, record.previous_version_id),
        "is_breaking_change": record.is_breaking_change,
        "breaking_changes": record.breaking_changes,
        "accepted_breaks": [
            f"{' '.join(filter(None, (each.kind, each.object)))}: {each.reason}"
            for each in record.accepted_breaks
        ],
        "checks": [check_text(each) for each in record.checks],
        **({} if record.hold is None else {"held": hold_text_of(record.hold)}),
        "success_rate": percent(record.success_rate),
        "total_executions": record.total_executions,
        "successful_executions": record.successful_executions,
        "failures": failures_text(record.failures, record.not_judged),
        "later verdicts": verdict_texts(record.later_verdicts),
        "pruned_executions": record.pruned_executions,
        "deployment_count": record.deployment_count,
        "trusted": record.trusted,
        "activation": record.activation,
        "activated_at": record.activated_at,
        "activated_by": f"{record.activated_by.kind} {record.activated_by.id}",
        "was current": current_texts(record),
        "rollbacks": rollback_texts(record),
        "stops": stop_texts(record.stops),
        "deployment_id": record.deployment_id,
        "code_hash": record.code_hash,
    }


def check_text(check: Check) -> str:
    """Return a check and its result."""
    detail = f": {check.detail}" if check.detail else ""
    return f"{check.name} {'ok' if check.ok else 'failed'}{detail}"


def _print_code(code: str) -> None:
    if not on_terminal():
        print_unchanged(code)
        return
    shown = printable(code, keep_lines=True)
    Console().print(Syntax(shown, "python", line_numbers=True, word_wrap=True))


def show_history(history: ToolHistory, as_json: bool) -> None:
    """Print the versions of a tool, and for a person its held deployments; the newest first.

    JSON has the versions alone, each with its ``hold``.
    """
    if as_json:
        print_json(history.data())
        return
    columns = (
        *(("version", "current"), "created at", ("created by", "type", "reason")),
        *(
            "was current",
            ("success", "executions", "failures", "verdicts"),
            ("breaking changes", "rollbacks"),
        ),
        "stops",
    )
    print_table(columns, (_row_of(found) for found in history.versions))
    if history.held:
        print_table(
            (("held at", "deployment"), "by", "what became of it", "findings"),
            (
                (
                    each.held_at,
                    each.deployment_id,
                    each.author or each.created_by,
                    hold_text_of(each),
                    each.findings,
                )
                for each in history.held
            ),
            title="deployments that were held",
        )


def hold_text_of(held: HeldDeployment) -> str:
    """Say what became of a held deployment, and by whom or by what."""
    if held.ended_at is None:
        return f"held until {time_text(held.expires_at)}"
    texts = {
        "approved": f"approved by {held.approved_by}",
        "dismissed": dismissal_text(held.dismissed_by, held.dismissal),
        "superseded": f"superseded by deployment {held.superseded_by}",
    }
    return f"{texts.get(held.status, held.status)} at {time_text(held.ended_at)}"


def _row_of(found: VersionRecord) -> tuple[Any, ...]:
    return (
        version_text(found.version_number, found.version_id),
        "current" if found.is_current else "",
        found.created_at,
        found.created_by,
        found.improvement_type,
        found.improvement_reason,
        current_texts(found),
        percent(found.success_rate),
        f"of {found.total_executions}",
        failures_text(found.failures, found.not_judged),
        verdicts_text(found.later_verdicts.judged, found.later_verdicts.bad),
        found.breaking_changes,
        rollback_texts(found),
        stop_texts(found.stops),
    )


def current_texts(found: VersionRecord) -> list[str]:
    """Return a text for each time in which a version was current, the oldest first."""
    return [
        f"{time_text(each.began_at)} to {time_text(each.ended_at) if each.ended_at else 'now'}"
        for each in found.activations
    ]


def rollback_texts(found: VersionRecord) -> list[str]:
    """Return a text for each rollback of a version, carried out or not.

    It says when, by which rule and because of how many executions.
    """
    return [_rollback_text(command) for command in found.rollbacks]


def _rollback_text(command: RollbackRecord) -> str:
    executions = len(named_executions(command))
    evidence = f", {executions} executions" if executions else ""
    status = "" if command.status == "applied" else f", {status_text(command)}"
    return f"{time_text(command.applied_at)} {rule_of(command)}{evidence}{status}"
