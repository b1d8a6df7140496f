"""The output of ``tools`` and ``status``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rollguard.printing import data_of, print_json, print_line, print_pairs, print_table
from rollguard.value_texts import percent, version_text

if TYPE_CHECKING:
    from rollguard.operations.overview.status import SystemStatus
    from rollguard.operations.overview.tools import ToolAtAGlance


def show_tools(found: "Sequence[ToolAtAGlance]", as_json: bool) -> None:
    """Print a line for each tool."""
    if as_json:
        print_json([data_of(tool) for tool in found])
        return
    columns = ("tool", "version", "state", ("success", "of"), ("last rollback", "why"), "stops")
    print_table(columns, (_line_of(tool) for tool in found))


def _line_of(tool: "ToolAtAGlance") -> tuple[object, ...]:
    last = tool.last_rollback
    stops = [
        text
        for text, holds in (
            ("pinned", tool.pinned),
            ("held", tool.held),
            ("deployment held", tool.deployment_held),
            ("frozen", tool.frozen),
            ("waits for resume", tool.waits_for_resume),
            ("rejected", tool.rejected),
        )
        if holds
    ]
    return (
        tool.tool_name,
        version_text(tool.version_number, tool.version_id),
        [tool.state, tool.reason] if tool.reason else tool.state,
        percent(tool.success_rate),
        f"{tool.total_executions} executions",
        None if last is None else last.applied_at,
        None if last is None else f"{last.tier} {last.reason}",
        stops,
    )


def show_status(found: "SystemStatus", as_json: bool) -> None:
    """Print what answers, and then what is stuck."""
    data = found.data()
    if as_json:
        print_json(data)
        return
    print_pairs({name: data[name] or "no answer" for name in ("software", "kafka", "postgres")})
    if found.roles:
        print_table(
            ("role", "workers", "lag", "software"),
            (
                (role.role, role.workers or "none", role.lag, sorted(set(role.versions)))
                for role in found.roles
            ),
        )
    for text in found.stuck:
        print_line(f"stuck: {text}")
    if not found.stuck:
        print_line("nothing is stuck")
