"""Everything that Rollguard raises, by what the one who catches it has to do.

RollguardError
├── Rejected          will never succeed: a dead letter (topics), exit 1 (command line);
│                     in Python a ValueError too
├── Retryable         may succeed later: wait in place and try again, in order
└── Misconfigured     an operator must mend it: say it and exit 1
"""


class RollguardError(Exception):
    """Any error of Rollguard's own. Its text is one line for a person."""


class Rejected(RollguardError, ValueError):
    """The input is wrong and stays wrong; the text says what."""


class Retryable(RollguardError):
    """Another part did not answer; the same call may succeed later.

    ``part`` is 'Kafka', 'Postgres', or the role that was waited for.
    """

    def __init__(self, part: str, cause: str) -> None:
        super().__init__(f"{part}: {cause}")
        self.part = part
        self.cause = cause


class Misconfigured(RollguardError):
    """Settings, topics or schema do not fit; nothing gets better by waiting."""
