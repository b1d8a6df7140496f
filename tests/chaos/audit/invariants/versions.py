"""Invariant: `tool-versions` and Postgres have the same current version of each tool."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from schemas.deployment import ToolVersion
from tests.chaos.audit.final_state import FinalState
from tests.chaos.audit.invariants.violation import Violation

_COLUMNS = ("version_id", "version_number", "activation", "code", "code_hash")


class _InTopic(NamedTuple):
    """The current version of each tool by the topic, in two ways of reading it."""

    newest: dict[str, ToolVersion]
    """By the record with the largest activation, for a reader of the whole topic."""
    last: dict[str, ToolVersion]
    """By the last record, which is the only one after compaction."""


def wrong_versions(state: FinalState) -> Iterator[Violation]:
    """Yield tools whose current version differs between Postgres and the topic.

    Also yield tools whose version numbers have gaps, and tools that have no current version in
    Postgres or several.
    """
    topic = _in_topic(state)
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in state.tables["versions"]:
        rows[row["tool_name"]].append(row)
    for tool in rows.keys() | topic.newest.keys():
        numbers = [row["version_number"] for row in rows[tool]]
        if numbers != list(range(1, len(numbers) + 1)):
            yield Violation("versions", tool, "Postgres", f"numbers {numbers}")
        current = [row for row in rows[tool] if row["is_current"]]
        if len(current) != 1:
            yield Violation("versions", tool, "Postgres", f"{len(current)} are current")
            continue
        yield from _different(tool, "the topic", topic.newest.get(tool), current[0])
        yield from _different(tool, "its last record", topic.last.get(tool), current[0])


def _in_topic(state: FinalState) -> _InTopic:
    found = _InTopic({}, {})
    for _, version in state.versions:
        tool = version.tool_name
        found.last[tool] = version
        newest = found.newest.get(tool)
        if newest is None or newest.activation < version.activation:
            found.newest[tool] = version
    return found


def _different(
    tool: str, name: str, published: ToolVersion | None, row: Any
) -> Iterator[Violation]:
    if published is not None and all(getattr(published, each) == row[each] for each in _COLUMNS):
        return
    shown = published and (published.version_id, published.activation)
    stored = (row["version_id"], row["activation"])
    yield Violation("versions", tool, name, f"says {shown}, Postgres {stored}")
