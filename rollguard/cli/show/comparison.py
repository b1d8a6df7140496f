"""The output of ``compare``: metrics, changes that break callers, and the diff."""

import math
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from rollguard.printing import (
    on_terminal,
    print_json,
    print_line,
    print_table,
    print_unchanged,
)
from rollguard.value_texts import percent, version_text
from schemas.printable import printable

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
    _print_metrics(found)
    for finding in found["findings"]:
        accepted = finding["accepted"]
        line = f"{finding['severity']}: {finding['sentence']}"
        text = f"{line} (accepted: {accepted})" if accepted is not None else line
        _print_coloured(printable(text), _SEVERITIES[finding["severity"]])
    if not on_terminal():
        print_unchanged(found["code_diff"])
        return
    for line in found["code_diff"].split("\n")[:-1]:
        style = _STYLES.get(line[:3]) or _STYLES.get(line[:1], "")
        _print_coloured(printable(line, keep_lines=True), style)


def _print_metrics(found: Mapping[str, Any]) -> None:
    sides = (("from", "from_version", "from_metrics"), ("to", "to_version", "to_metrics"))
    print_table(
        ("side", "version", "created at", "executions", "success"),
        (
            (
                side,
                version_text(found[identity]["version_number"], found[identity]["version_id"]),
                found[identity]["created_at"],
                found[metrics]["total_executions"],
                percent(found[metrics]["success_rate"]),
            )
            for side, identity, metrics in sides
        ),
    )
    change = found["metrics_comparison"]
    if math.isnan(change["success_rate_change"]):
        print_line("change of the success rate: unknown, because one version was never executed")
        return
    low, high = change["confidence_interval"]
    print_line(
        f"change of the success rate: {_points(change['success_rate_change'])} points, "
        f"{change['confidence']:.0%} confidence interval {_points(low)} to {_points(high)} "
        f"({change['method']})"
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _print_coloured(text: str, style: str) -> None:
    Console().print(Text(text, style), soft_wrap=True)
