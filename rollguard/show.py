"""What the command line prints: a table for a person, or one JSON document."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from db.versions import VersionRecord
from rollguard.writes import BadLine
from schemas.execution import Execution
from schemas.rollback import RollbackOutcome


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))


def _data(model: BaseModel) -> Any:
    return model.model_dump(mode="json")


def _pairs(values: Mapping[str, Any]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, "-" if value is None else str(value))
    Console().print(table, markup=False)


def percent(rate: float | None) -> str:
    """``97.5 %``; a dash where there is nothing to have a rate of."""
    return "-" if rate is None else f"{rate:.1%}".replace("%", " %")


def version(found: VersionRecord, as_json: bool, *, with_code: bool = False) -> None:
    """One version with its metrics."""
    if as_json:
        _print_json(_data(found))
        return
    data = _data(found)
    code = data.pop("code")
    data["success_rate"] = percent(found.success_rate)
    _pairs(data)
    if with_code:
        Console().print(Syntax(code, "python", line_numbers=True))


def history(versions: Sequence[VersionRecord], as_json: bool) -> None:
    """The versions of a tool, the newest first."""
    if as_json:
        _print_json([_data(found) for found in versions])
        return
    table = Table()
    for column in ("", "number", "id", "created", "by", "type", "executions", "success", "reason"):
        table.add_column(column, overflow="fold")
    for found in versions:
        table.add_row(
            "*" if found.is_current else "",
            str(found.version_number),
            str(found.version_id),
            f"{found.created_at:%Y-%m-%d %H:%M:%S}",
            found.created_by,
            found.improvement_type,
            str(found.total_executions),
            percent(found.success_rate),
            found.improvement_reason or "",
        )
    Console().print(table, markup=False)


def outcome(found: RollbackOutcome, as_json: bool) -> None:
    """What came of a rollback; why it was rejected, on stderr."""
    if as_json:
        _print_json(_data(found))
    elif found.status == "applied":
        print(f"{found.tool_name}: version {found.to_version_number} is current again")
    if found.status == "rejected":
        print(f"rollguard: rejected: {found.rejection}", file=sys.stderr)


def check(found: Mapping[str, Any], as_json: bool) -> None:
    """What the rules say."""
    said = {name: found[name] for name in ("needs_rollback", "tier", "reason", "details")}
    if as_json:
        _print_json(said)
    else:
        _pairs(said)


def health(found: Mapping[str, Any], as_json: bool) -> None:
    """The windows themselves."""
    if as_json:
        _print_json(found)
        return
    flat = {name: value for name, value in found.items() if name not in ("recent", "windows")}
    for name, window in found["windows"].items():
        flat[f"{name} window"] = (
            f"{window['failures']} of {window['executions']} failed in {window['window_s']} s"
        )
    _pairs(flat)
    table = Table(title="recent, newest first")
    for column in ("executed at", "success", "error", "execution"):
        table.add_column(column, overflow="fold")
    for seen in found["recent"]:
        table.add_row(
            seen["executed_at"], str(seen["success"]), seen["error_type"], seen["execution_id"]
        )
    Console().print(table, markup=False)


def recorded(published: Sequence[Execution], bad: Sequence[BadLine], as_json: bool) -> None:
    """How many executions were published; the lines that are none, on stderr."""
    if as_json:
        _print_json(
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
