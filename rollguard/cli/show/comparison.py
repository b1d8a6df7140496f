"""The output of ``compare``: metrics, changes that break callers, and the diff."""

import math
import sys
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from rollguard.printing import percent, print_json, print_table, printable

_STYLES: Final = {"+++": "bold", "---": "bold", "+": "green", "-": "red", "@": "cyan"}
_SEVERITIES: Final = {"breaking": "bold red", "risky": "yellow", "note": "dim"}


def show_comparison(found: Mapping[str, Any], as_json: bool) -> None:
    """Print what ``rollguard.management.version_comparison.comparison_of`` returns.

    The diff comes last, coloured on a terminal. Elsewhere it is printed unchanged, so that
    ``patch`` accepts the output.
    """
    if as_json:
        print_json(found)
        return
    console = Console()
    _print_metrics(console, found)
    for finding in found["findings"]:
        accepted = finding["accepted"]
        line = f"{finding['severity']}: {finding['sentence']}"
        text = f"{line} (accepted: {accepted})" if accepted is not None else line
        console.print(Text(printable(text), _SEVERITIES[finding["severity"]]))
    _print_diff(console, found["code_diff"])


def _print_metrics(console: Console, found: Mapping[str, Any]) -> None:
    sides = (("from", "from_version", "from_metrics"), ("to", "to_version", "to_metrics"))
    print_table(
        ("", "version", "id", "created", "executions", "success"),
        (
            (
                side,
                found[identity]["version_number"],
                found[identity]["version_id"],
                f"{found[identity]['created_at']:%Y-%m-%d %H:%M:%S}",
                found[metrics]["total_executions"],
                percent(found[metrics]["success_rate"]),
            )
            for side, identity, metrics in sides
        ),
    )
    change = found["metrics_comparison"]
    if math.isnan(change["success_rate_change"]):
        console.print("change of the success rate: unknown, because one version was never executed")
        return
    low, high = change["confidence_interval"]
    console.print(
        f"change of the success rate: {_points(change['success_rate_change'])} points, "
        f"{change['confidence']:.0%} confidence interval {_points(low)} to {_points(high)} "
        f"({change['method']})",
        highlight=False,
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _print_diff(console: Console, diff: str) -> None:
    if not console.is_terminal:
        sys.stdout.write(diff)
        return
    for line in diff.split("\n")[:-1]:
        style = _STYLES.get(line[:3]) or _STYLES.get(line[:1], "")
        console.print(Text(printable(line), style), soft_wrap=True)
