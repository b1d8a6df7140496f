"""Cursors: where the next page begins, as a text that a client hands back unchanged."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from console.api.problems import ProblemError

T = TypeVar("T")


def cursor_of(*values: Any) -> str:
    """Return the cursor that stands for these values."""
    text = json.dumps(values, separators=(",", ":"), default=str)
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def values_of(cursor: str | None, kind: TypeAdapter[T]) -> T | None:
    """Return what a cursor stands for; None stays None. Raises ProblemError for any other text."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return kind.validate_json(urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, ValidationError):
        errors = [{"field": "query.cursor", "error": "not a cursor of this list"}]
        raise ProblemError(422, "query.cursor: not a cursor of this list", errors=errors) from None
