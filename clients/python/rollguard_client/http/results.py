"""What version management returns: the same keys, by whichever way it reaches the system."""

from collections.abc import Callable, Mapping
from datetime import datetime
from math import nan
from typing import Any, Final
from uuid import UUID

import msgspec

from rollguard_client.http.problems import other_version

_TIMES: Final = ("created_at", "activated_at")
_IDS: Final = ("deployment_id", "command_id")
_OF_OUTCOME: Final = (
    *("status", "tool_name", "from_version_id", "to_version_id", "command_id", "tier", "reason"),
    "rejection",
)


def version_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a version with its metrics; ``success_rate`` is NaN until it was executed."""
    found = _typed({name: each for name, each in data.items() if name != "previous_version_number"})
    return with_nan(found, "success_rate")


def rollback_of(outcome: Mapping[str, Any], error: str | None) -> dict[str, Any]:
    """Return the result of a rollback; ``error`` says why it was not carried out."""
    success = outcome["status"] == "applied"
    return _typed(
        {
            "success": success,
            **{name: outcome.get(name) for name in _OF_OUTCOME},
            "rolled_back_to_version": outcome.get("to_version_number") if success else None,
            "error": error,
        }
    )


def comparison_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison of two versions; numbers that are not known are NaN."""
    found = dict(data)
    for name in ("from_version", "to_version"):
        found[name] = _typed(found[name])
    for name in ("from_metrics", "to_metrics"):
        found[name] = with_nan(found[name], "success_rate")
    change = with_nan(found["metrics_comparison"], "success_rate_change")
    interval = [nan if each is None else each for each in change["confidence_interval"]]
    found["metrics_comparison"] = change | {"confidence_interval": interval}
    return found


def recount_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a recount has changed."""
    return {
        **data,
        "before": with_nan(data["before"], "success_rate"),
        "after": with_nan(data["after"], "success_rate"),
    }


def monitored(data: Mapping[str, Any], session_id: str | None) -> dict[str, Any]:
    """Return what a monitor has done; of a rollback that nobody demanded only that."""
    if data["type"] is None:
        return {"rollback_performed": False, "type": None, "session_id": session_id}
    return _typed(data) | {"session_id": session_id}


def health_of(data: Mapping[str, Any], session_id: str | None) -> dict[str, Any]:
    """Return the health of a tool with the rates of the widest window, as a monitor has it."""
    window, baseline = data["windows"]["standard"], data["baseline"]
    executions = window["executions"]
    rate = 1 - window["failures"] / executions if executions else None
    before = baseline and baseline["success_rate"]
    return {
        **data,
        "session_id": session_id,
        "total_executions": executions,
        "success_rate": rate,
        "baseline_success_rate": before,
        "success_rate_drop": before - rate if baseline and rate is not None else None,
    }


def with_nan(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the data with NaN in place of a number that is not known."""
    return {**data, name: nan if data[name] is None else data[name]}


def understood(url: str, read: Callable[..., Any], data: Any, *more: Any) -> Any:
    """Return what ``read`` makes of the data. Misconfigured if it cannot be read."""
    try:
        return read(data, *more)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise other_version(url, repr(error)) from error


def _typed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data with its times and ids as Python has them."""
    found = dict(data)
    for name in _TIMES:
        if isinstance(found.get(name), str):
            found[name] = msgspec.convert(found[name], datetime)
    for name in _IDS:
        if isinstance(found.get(name), str):
            found[name] = UUID(found[name])
    return found
