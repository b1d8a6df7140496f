"""What the command line prints: a table for a person, or one JSON document."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.syntax import Syntax

from db.rollbacks.records import RollbackRecord
from db.versions.reading import VersionRecord
from rollguard.cli.show_rollbacks import standing
from rollguard.operations.prune import Pruned
from rollguard.operations.reads import recent_of
from rollguard.operations.writes import BadLine
from rollguard.printing import data_of, pairs, percent, print_json, print_table, printable
from schemas.execution import Execution
from schemas.rollback import RollbackOutcome


def version(found: VersionRecord, as_json: bool, *, in_full: bool = False) -> None:
    """One version with its metrics; in full also the commands about it and its code."""
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
    data["rolled back"] = rolled_back(found)
    pairs(data)
    if in_full:
        for command in found.rollbacks:
            executions = "\n".join(recent_of(command))
            pairs({"command": command.command_id, "executions": executions})
        Console().print(Syntax(printable(code), "python", line_numbers=True))


def history(versions: Sequence[VersionRecord], as_json: bool) -> None:
    """The versions of a tool, the newest first."""
    if as_json:
        print_json([data_of(found) for found in versions])
        return
    columns = ("", "number", "id", "made", "success", "breaks and rollbacks")
    print_table(columns, (_line_of(found) for found in versions))


def _line_of(found: VersionRecord) -> tuple[Any, ...]:
    """Few columns, each of some lines: a terminal has 80 characters."""
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
        "\n".join(line for line in (*found.breaking_changes, rolled_back(found)) if line),
    )


def rolled_back(found: VersionRecord) -> str:
    """When a version was replaced by a command, by which rule and for how many executions; and
    what was not carried out.
    """
    return "\n".join(_rolled_back(command) for command in found.rollbacks)


def _rolled_back(command: RollbackRecord) -> str:
    rule = command.reason if command.tier == "manual" else f"{command.tier} {command.reason}"
    executions = len(recent_of(command))
    evidence = f", {executions} executions" if executions else ""
    status = "" if command.status == "applied" else f", {standing(command)}"
    return f"{command.applied_at:%Y-%m-%d %H:%M:%S} {rule}{evidence}{status}"


def outcome(found: RollbackOutcome, as_json: bool) -> None:
    """What came of a rollback; why it was rejected, on stderr."""
    if as_json:
        print_json(data_of(found))
    elif found.status == "applied":
        print(f"{printable(found.tool_name)}: version {found.to_version_number} is current again")
    if found.status == "rejected":
        print(f"rollguard: rejected: {found.rejection}", file=sys.stderr)


def check(found: Mapping[str, Any], as_json: bool) -> None:
    """What the rules say."""
    said = {name: found[name] for name in ("needs_rollback", "tier", "reason", "details")}
    if as_json:
        print_json(said)
    else:
        pairs(said)


def health(found: Mapping[str, Any], as_json: bool) -> None:
    """The windows themselves."""
    if as_json:
        print_json(found)
        return
    flat = {name: value for name, value in found.items() if name not in ("recent", "windows")}
    for name, window in found["windows"].items():
        flat[f"{name} window"] = (
            f"{window['failures']} of {window['executions']} failed in {window['window_s']} s"
        )
    pairs(flat)
    print_table(
        ("executed at", "success", "error", "execution"),
        (
            (seen["executed_at"], seen["success"], seen["error_type"], seen["execution_id"])
            for seen in found["recent"]
        ),
        title="recent, newest first",
    )


def recorded(published: Sequence[Execution], bad: Sequence[BadLine], as_json: bool) -> None:
    """How many executions were published; the lines that are none, on stderr."""
    if as_json:
        print_json(
            {
                "published": [str(execution.execution_id) for execution in published],
                "rejected": [line._asdict() for line in bad],
            }
        )
    elif len(published) == 1 and not bad:
        print(f"published {published[0].execution_id}")
    else:
        print(f"published {len(published)} executions")
    for line in bad:
        print(f"rollguard: line {line.number}: {line.error}", file=sys.stderr)


def pruned(found: Pruned, as_json: bool) -> None:
    """What was removed."""
    if as_json:
        print_json({"before": found.before, "executions": found.executions, "tools": found.by_tool})
        return
    print(
        f"removed {found.executions} executions of {len(found.by_tool)} tools, executed before "
        f"{found.before:%Y-%m-%d %H:%M:%S} UTC; metrics stay"
    )
