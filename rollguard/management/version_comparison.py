"""The comparison of two versions: their code, what breaks for callers, and their metrics."""

from collections.abc import Sequence
from dataclasses import asdict
from math import nan
from typing import Any, Final

from db.versions.reading import VersionRecord
from policy.breaking.finding import Finding, is_breaking, sentences
from policy.deployments.accepted_breaks import acceptance_of
from policy.statistics.intervals import CONFIDENCE, METHOD, newcombe
from rollguard.value_texts import time_text, version_text

UNKNOWN: Final = (nan, nan)


def comparison_of(
    before: VersionRecord, after: VersionRecord, diff: str, findings: Sequence[Finding]
) -> dict[str, Any]:
    """Return the whole comparison (contract, section 6).

    ``diff`` and ``findings`` lead from the code of ``before`` to that of ``after``. A rate that is
    not known is NaN.
    """
    return {
        "tool_name": after.tool_name,
        "from_version": identity_of(before),
        "to_version": identity_of(after),
        "code_diff": diff,
        "is_breaking_change": is_breaking(findings),
        "breaking_changes": sentences(findings),
        "findings": [
            asdict(finding) | {"accepted": acceptance_of(finding, after.accepted_breaks)}
            for finding in findings
        ],
        "from_metrics": metrics_of(before),
        "to_metrics": metrics_of(after),
        "metrics_comparison": metrics_comparison(before, after),
    }


def identity_of(version: VersionRecord) -> dict[str, Any]:
    """Return which version it is, who made it, when and why."""
    names = (
        *("version_id", "version_number", "code_hash", "created_at", "created_by"),
        *("improvement_type", "improvement_reason", "is_current"),
    )
    return {name: getattr(version, name) for name in names}


def metrics_of(version: VersionRecord) -> dict[str, Any]:
    """Return the metrics of a version. ``success_rate`` is NaN until it was executed."""
    return {
        "success_rate": nan if version.success_rate is None else version.success_rate,
        "total_executions": version.total_executions,
        "successful_executions": version.successful_executions,
        "caller_failures": version.caller_failures,
        "environment_failures": version.environment_failures,
        "deployment_count": version.deployment_count,
    }


def metrics_comparison(before: VersionRecord, after: VersionRecord) -> dict[str, Any]:
    """Return the change of the success rate and its 95 % confidence interval.

    It also says how many executions each rate is based on. Unless both versions were executed, the
    change and its interval are not known: NaN.
    """
    change, interval = nan, UNKNOWN
    if before.success_rate is not None and after.success_rate is not None:
        change = after.success_rate - before.success_rate
        interval = _interval(before, after)
    return {
        "success_rate_change": change,
        "confidence_interval": list(interval),
        "confidence": CONFIDENCE,
        "method": METHOD,
        "from_executions": before.total_executions,
        "to_executions": after.total_executions,
    }


def _interval(before: VersionRecord, after: VersionRecord) -> tuple[float, float]:
    if before.version_id == after.version_id:
        return 0.0, 0.0  # the same executions: the difference is exactly zero
    return newcombe(
        *(before.successful_executions, before.total_executions),
        *(after.successful_executions, after.total_executions),
    )


def code_diff(before: VersionRecord, after: VersionRecord, hunks: str) -> str:
    """Return a unified diff that ``patch`` accepts; empty if there are no ``hunks``.

    Its header has the names and times.
    """
    if not hunks:
        return ""
    return (
        f"--- {_header(before)}\t{time_text(before.created_at)}\n"
        f"+++ {_header(after)}\t{time_text(after.created_at)}\n{hunks}"
    )


def _header(version: VersionRecord) -> str:
    name = version.tool_name
    if not name.isprintable():  # a line feed in the name would end the header
        name = name.encode("unicode_escape").decode()
    return f"{name} {version_text(version.version_number, version.version_id)}"
