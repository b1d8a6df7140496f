"""The output of ``deploy``, ``current``, ``history`` and ``show``."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.syntax import Syntax

from db.rollbacks.records import RollbackRecord
from db.versions.reading import VersionRecord
from rollguard.cli.show.rollbacks import status_text
from rollguard.operations.rollbacks import named_executions
from rollguard.printing import data_of, pairs, percent, print_json, print_table, printable


def show_version(found: VersionRecord, as_json: bool, *, in_full: bool = False) -> None:
    """Print one version with its metrics; in full also the commands about it and its code."""
    if as_json:
        print_json(data_of(found))
        return
    data = data_of(found)
    code = data.pop("code")
    del data["rollbacks"]
    data["success_rate"] = percent(found.success_rate)
    data["breaking_changes"] = "\n".join(found.breaking_changes) or None
    data["accepted_breaks"] = "\n".join(
        f"{each.kind or ''} {each.object or ''}: {each.reason}" for each in found.accepted_breaks
    )
    data["activated_by"] = f"{found.activated_by.kind} {found.activated_by.id}"
    data["rolled back"] = rollbacks_text(found)
    pairs(data)
    if in_full:
        for command in found.rollbacks:
            executions = "\n".join(named_executions(command))
            pairs({"command": command.command_id, "executions": executions})
        Console().print(Syntax(printable(code), "python", line_numbers=True))


def show_history(versions: Sequence[VersionRecord], as_json: bool) -> None:
    """Print the versions of a tool, the newest first."""
    if as_json:
        print_json([data_of(found) for found in versions])
        return
    columns = ("", "number", "id", "made", "success", "breaks and rollbacks")
    print_table(columns, (_line_of(found) for found in versions))


def _line_of(found: VersionRecord) -> tuple[Any, ...]:
    """Return few columns of several lines each, because a terminal has 80 characters."""
    made = (
        f"{found.created_at:%Y-%m-%d %H:%M:%S}",
        f"{found.created_by}, {found.improvement_type}",
        found.improvement_reason or "",
    )
    return (
        "*" if found.is_current else "",
        found.version_number,
        found.version_id,
        "\n".join(line for line in made if line),
        f"{percent(found.success_rate)}\nof {found.total_executions}",
        "\n".join(line for line in (*found.breaking_changes, rollbacks_text(found)) if line),
    )


def rollbacks_text(found: VersionRecord) -> str:
    """Return a line for each rollback of a version, carried out or not.

    It says when, by which rule and because of how many executions.
    """
    return "\n".join(_rollback_text(command) for command in found.rollbacks)


def _rollback_text(command: RollbackRecord) -> str:
    rule = command.reason if command.tier == "manual" else f"{command.tier} {command.reason}"
    executions = len(named_executions(command))
    evidence = f", {executions} executions" if executions else ""
    status = "" if command.status == "applied" else f", {status_text(command)}"
    return f"{command.applied_at:%Y-%m-%d %H:%M:%S} {rule}{evidence}{status}"
