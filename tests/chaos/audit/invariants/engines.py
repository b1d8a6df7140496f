"""Invariant: engines load only versions that Postgres has, and have the current ones in use."""

from collections.abc import Iterator

from tests.chaos.audit.final_state import FinalState, current_activations
from tests.chaos.audit.invariants.violation import Violation


def wrong_engines(state: FinalState) -> Iterator[Violation]:
    """Yield loaded code that nobody deployed, and tools whose current version is not in use."""
    rows = {(row["tool_name"], row["version_id"], row["code"]) for row in state.tables["versions"]}
    for loaded in state.loaded - rows:
        text = f"loaded {loaded.code[:60]!r}, which is no version"
        yield Violation("engines", loaded.tool, f"version {loaded.version_id}", text)
    current = current_activations(state)
    for tool in current.keys() | state.in_use.keys():
        expected, used = current.get(tool), state.in_use.get(tool)
        if expected != used:
            yield Violation("engines", tool, "the engines", f"use {used}, Postgres has {expected}")
