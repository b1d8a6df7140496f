"""The errors that Rollguard raises, each with what must be done about it.

RollguardError
├── Rejected          will never succeed: a dead letter (topics), exit 1 (command line);
│   │                 in Python a ValueError too
│   ├── Missing       what was named does not exist
│   └── Unverified    nobody who may say it has signed it: besides, nothing of it is stored
├── Retryable         may succeed later: wait and try again, in order
│   └── Locked        somebody else holds a lock in Postgres: others need not wait
└── Misconfigured     an operator must correct it: report it and exit 1

All but Locked are the client's own classes, so that an engine catches one class
whoever raises it.
"""

from collections.abc import Iterable

from rollguard_client.errors import (
    Misconfigured,
    Missing,
    Rejected,
    Retryable,
    RollguardError,
    Unverified,
)

__all__ = [
    "Locked",
    "Misconfigured",
    "Missing",
    "Rejected",
    "Retryable",
    "RollguardError",
    "Unverified",
]


class Locked(Retryable):
    """Somebody else held a lock in Postgres for too long.

    ``tools`` are the tools that are locked; nothing if it is not known which of them are.
    """

    def __init__(self, cause: str, tools: Iterable[str] = ()) -> None:
        super().__init__("Postgres", cause)
        self.tools = frozenset(tools)
