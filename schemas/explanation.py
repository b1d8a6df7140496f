"""Why a version was rolled back, in words and numbers for the author of the next version."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from schemas.fields import Count
from schemas.message import Message

MAX_ERRORS: Final = 3
MAX_ERROR_CHARACTERS: Final = 300
ERRORS_HEADER: Final = "rollguard-errors"
"""The header of an automatic command with the errors that the detector has seen: JSON, a list of
``SeenError``. It is no part of what is signed; it is shown, and decides nothing."""
_MAX_HEADER_BYTES: Final = 16 * 1024


class SeenError(Message):
    """An error of executions that decided, and how many of them had it."""

    error: str
    """On one line, cut if it is long; of a traceback its last line. If texts of errors are not
    kept, the class of the exception."""
    executions: Count


class Explanation(Message, strict=False):
    """What an automatic rollback rests on, as it was when it was decided; at most 16 KiB.

    What does not fit is left out: the last errors, changes and ids. It is not read strictly,
    because Postgres keeps it as JSON, in which an id is a text.
    """

    rule: str
    """The text of the rule, with the numbers that were in force; if it was rejected because of an
    outage, or stopped by a limit, also what that is."""
    evidence: str | None = None
    """The evidence in one sentence, if the decision rests on evidence."""
    thresholds: dict[str, int | float]
    """The settings in that text or that evidence, by name, with the values that were in force."""
    executions: int | None = None
    """How many executions counted, and how many of them failed; None if the command does not say
    so."""
    failures: int | None = None
    errors: list[SeenError]
    """At most three different errors of the executions that decided, the most frequent first; none
    if none of them was known when it was decided. If later verdicts decided, why they were given.
    """
    breaking_changes: list[str]
    """What the version that failed changed for its callers, in the words of its deployment."""
    decided_by: list[UUID]
    """The executions that decided, the newest first. If later verdicts decided, the ids of the bad
    ones, the newest first, and then those of the executions that they are about."""


_LIST: Final = TypeAdapter(list[SeenError])


def errors_to_header(errors: Sequence[SeenError]) -> bytes:
    """Return the value of ``ERRORS_HEADER``."""
    return _LIST.dump_json(list(errors))


def errors_in(headers: Iterable[tuple[str, bytes]]) -> list[SeenError]:
    """Return the errors that the headers of a command name; none if they are not readable.

    Errors that are too long, or not on one line, are left out: whoever may write commands may write
    anything there.
    """
    value = next((value for name, value in headers if name == ERRORS_HEADER), b"")
    if not value or len(value) > _MAX_HEADER_BYTES:
        return []
    try:
        errors = _LIST.validate_json(value)
    except ValidationError:
        return []
    return [each for each in errors if _is_shown(each.error)][:MAX_ERRORS]


def _is_shown(error: str) -> bool:
    return 0 < len(error) <= MAX_ERROR_CHARACTERS and error.isprintable()
