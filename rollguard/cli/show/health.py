"""The output of ``check`` and ``health``."""

from collections.abc import Mapping
from typing import Any

from rollguard.printing import pairs, print_json, print_table


def show_check(found: Mapping[str, Any], as_json: bool) -> None:
    """Print whether a rule demands a rollback, which, and what the rollback waits for."""
    names = ["needs_rollback", "tier", "reason", "details"]
    verdict = {name: found[name] for name in names + ["waits_for"] * found["needs_rollback"]}
    if as_json:
        print_json(verdict)
    else:
        pairs(verdict)


def show_health(found: Mapping[str, Any], as_json: bool) -> None:
    """Print the windows, and the newest executions."""
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
            (each["executed_at"], each["success"], each["error_type"], each["execution_id"])
            for each in found["recent"]
        ),
        title="recent, newest first",
    )
