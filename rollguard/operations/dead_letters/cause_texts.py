"""The cause of a bad record: its error without what differs from record to record."""

import re
from functools import lru_cache
from typing import Final

MAX_CAUSE: Final = 500
"""The longest cause, in characters."""
_DIFFERS: Final = re.compile(
    r"""
    '[^']*' | "[^"]*"                                              # what was named
    | \b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b | \b[0-9a-f]{32,}\b   # ids and hashes
    | \b\d[\d.:TZ+-]*                                              # numbers and times
    """,
    re.VERBOSE | re.IGNORECASE,
)


@lru_cache(maxsize=10_000)
def cause_of(error: str) -> str:
    """Return the error without names, numbers and ids, cut to ``MAX_CAUSE`` characters."""
    return _DIFFERS.sub("…", error[: 4 * MAX_CAUSE])[:MAX_CAUSE]
