"""The ids of executions that spans tell of."""

from typing import Final
from uuid import UUID, uuid5

NAMESPACE: Final = UUID("5a1f6f0e-3c55-5f7b-9d39-6a3f0c1b7e42")
"""It never changes: whoever reads a span, and whenever, must give its execution the same id."""


def execution_id_of(trace_id: int, span_id: int) -> UUID:
    """Return the id of the execution that a span tells of."""
    return uuid5(NAMESPACE, f"{trace_id:032x}{span_id:016x}")
