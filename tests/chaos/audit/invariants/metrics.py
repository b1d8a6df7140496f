"""Invariant: Postgres has each execution once, and each version the metrics of its executions."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple
from uuid import UUID

from aiokafka.structs import ConsumerRecord

from schemas.execution import Activation, Execution
from schemas.failures.failure_classes import ErrorOrigin
from tests.chaos.audit.final_state import FinalState, LogEntry
from tests.chaos.audit.invariants.violation import Violation, position
from tests.support.policy.oracle.whose_failure import origin_of

_METRICS: Final = (
    *("total_executions", "success_rate", "caller_failures", "environment_failures"),
)
_STORED: Final = ("version_id", "success", "error_origin", "duration_ms", "cost")


class _Published(NamedTuple):
    """An execution, with its first record in the log."""

    record: ConsumerRecord
    execution: Execution
    version_id: int | None
    """The version that it names, else the version that was current at this record."""


def wrong_metrics(state: FinalState) -> Iterator[Violation]:
    """Yield executions that are missing, extra or wrong, and versions with wrong metrics."""
    published = {tool: list(_published(log)) for tool, log in state.logs.items()}
    yield from _wrong_executions(state, published)
    yield from _wrong_versions(state, published)


def _published(
    log: list[tuple[ConsumerRecord, LogEntry]],
) -> Iterator[_Published]:
    """Yield each execution of a tool's log once, although producers may have sent it again."""
    current: Activation | None = None
    seen: set[UUID] = set()
    for record, entry in log:
        if isinstance(entry, Activation):
            if current is None or current.activation < entry.activation:
                current = entry
        elif isinstance(entry, Execution) and entry.execution_id not in seen:
            seen.add(entry.execution_id)
            version_id = entry.version_id or (current.version_id if current else None)
            yield _Published(record, entry, version_id)


def _wrong_executions(
    state: FinalState, published: dict[str, list[_Published]]
) -> Iterator[Violation]:
    stored = {(row["tool_name"], row["execution_id"]): row for row in state.tables["executions"]}
    for tool, executions in published.items():
        for record, execution, version_id in executions:
            row = stored.pop((tool, execution.execution_id), None)
            if row is None:
                text = f"{execution.execution_id} is not stored"
                yield Violation("metrics", tool, position(record), text)
                continue
            found = tuple(row[name] for name in _STORED)
            origin = origin_of(execution, state.settings.rules_of(tool))
            numbers = execution.duration_ms, execution.cost
            if found != (given := (version_id, execution.success, origin, *numbers)):
                text = f"stored as {found}; is {given}"
                yield Violation("metrics", tool, position(record), text)
    for row in stored.values():
        yield Violation("metrics", row["tool_name"], str(row["execution_id"]), "is not in the log")


def _wrong_versions(
    state: FinalState, published: dict[str, list[_Published]]
) -> Iterator[Violation]:
    owner = {row["version_id"]: row["tool_name"] for row in state.tables["versions"]}
    expected: dict[int, Counter[ErrorOrigin | None]] = defaultdict(Counter)
    for tool, executions in published.items():
        for _, execution, version_id in executions:
            if version_id is not None and owner.get(version_id) == tool:
                expected[version_id][origin_of(execution, state.settings.rules_of(tool))] += 1
    for row in state.tables["versions"]:
        counts = expected[row["version_id"]]
        judged = counts[None] + counts["tool"]
        rate = counts[None] / judged if judged else None
        by_log = judged, rate, counts["caller"], counts["environment"]
        stored = tuple(row[name] for name in _METRICS)
        if stored != by_log:
            yield Violation(
                "metrics",
                row["tool_name"],
                f"version {row['version_id']}",
                f"{stored} in Postgres; {by_log} by the log",
            )
