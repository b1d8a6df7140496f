"""What a page knows if a part of the system does not answer."""

from collections.abc import Awaitable
from typing import TypeVar

from schemas.errors import Misconfigured, Retryable

T = TypeVar("T")


async def or_note(asked: Awaitable[T], notes: list[str], what: str) -> T | None:
    """Return the answer; None if the part that is asked is away: then a note says so.

    ``what`` is what is missing then: ``the costs are not known``.
    """
    try:
        return await asked
    except (Retryable, Misconfigured) as error:
        notes.append(f"{what}: {error}")
        return None
