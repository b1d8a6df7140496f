"""The output of ``check`` and ``health``."""

from collections.abc import Mapping
from typing import Any, Final

from rollguard.cli.show.stops import stop_texts
from rollguard.operations.overview.health import check_data, health_data
from rollguard.printing import print_json, print_pairs, print_table
from rollguard.value_texts import failures_text, version_text
from schemas.fields import parse_time

_TIMES: Final = (
    *("activated_at", "as_of", "executed_at", "expires_at", "held_at", "next_attempt_at", "since"),
)


def show_check(found: Mapping[str, Any], as_json: bool) -> None:
    """Print whether a rule demands a rollback, which, and what the rollback waits for."""
    verdict = check_data(found)
    if as_json:
        print_json(verdict)
    else:
        print_pairs(verdict)


def show_health(found: Mapping[str, Any], as_json: bool) -> None:
    """Print the windows, how near each rule is, the newest executions, and the stops in force."""
    if as_json:
        print_json(health_data(found))
        return
    stops = found["stops"]
    health = {**_with_times(found), "stops": stops and stop_texts(stops)}
    number, version_id = health.pop("version_number"), health.pop("version_id")
    windows, recent, rules = (health.pop(name) for name in ("windows", "recent", "rules"))
    others = sum(health["not_judged"].values())
    values = {
        "tool_name": health.pop("tool_name"),
        "version": version_text(number, version_id),
        **health,
    }
    for name, window in windows.items():
        values[f"{name} window"] = (
            f"{window['failures']} of {window['executions']} failed in {window['window_s']} s"
        )
    values["failures"] = failures_text(windows["standard"]["failures"] + others, others)
    print_pairs(values)
    print_table(
        ("rule", "holds", "now", "limit", ("executions", "needed")),
        (
            (
                f"{each['tier']} {each['reason']}",
                each["holds"],
                each["value"],
                each["limit"],
                each["executions"],
                each["executions_needed"],
            )
            for each in rules
        ),
        title="how near each rule is",
    )
    print_table(
        ("executed at", "success", "error", "execution"),
        (
            (each["executed_at"], each["success"], each["error_type"], each["execution_id"])
            for each in map(_with_times, recent)
        ),
        title="recent, newest first",
    )


def _with_times(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with their times, which JSON has as texts; in their parts, too."""
    return {
        name: _with_times(value)
        if isinstance(value, Mapping)
        else parse_time(value)
        if name in _TIMES and value is not None
        else value
        for name, value in found.items()
    }
