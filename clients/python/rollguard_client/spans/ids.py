"""The ids of executions that spans tell of."""

from typing import Final
from uuid import UUID, uuid5

NAMESPACE: Final = UUID("5a1f6f0e-3c55-5f7b-9d39-6a3f0c1b7e42")
"""It never changes: whoever reads a span, and whenever, must give its execution the same id."""


def execution_id_of(ids: str) -> UUID:
    """Return the id of an execution by the ids of trace and span: 48 hex digits in lower case."""
    return uuid5(NAMESPACE, ids)
