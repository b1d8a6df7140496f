"""The errors that Rollguard raises, each with what must be done about it.

RollguardError
├── Rejected          will never succeed: a dead letter (topics), exit 1 (command line);
│   │                 in Python a ValueError too
│   └── Unverified    nobody who may say it has signed it: besides, nothing of it is stored
├── Retryable         may succeed later: wait and try again, in order
│   └── Locked        somebody else holds a lock in Postgres: others need not wait
└── Misconfigured     an operator must correct it: report it and exit 1
"""

from collections.abc import Iterable


class RollguardError(Exception):
    """Any error of Rollguard's own. Its text is one line for a person."""


class Rejected(RollguardError, ValueError):
    """The input is wrong and stays wrong; the text says what is wrong."""


class Unverified(Rejected):
    """A signature is missing or wrong, or its key may not say this."""


class Retryable(RollguardError):
    """Another part did not answer; the same call may succeed later.

    ``part`` is 'Kafka', 'Postgres', or the role that did not answer.
    """

    def __init__(self, part: str, cause: str) -> None:
        super().__init__(f"{part}: {cause}")
        self.part = part
        self.cause = cause


class Locked(Retryable):
    """Somebody else held a lock in Postgres for too long.

    ``tools`` are the tools that are locked; nothing if it is not known which of them are.
    """

    def __init__(self, cause: str, tools: Iterable[str] = ()) -> None:
        super().__init__("Postgres", cause)
        self.tools = frozenset(tools)


class Misconfigured(RollguardError):
    """Settings, topics or the database schema are wrong, and waiting does not help."""
