"""The errors that the client raises, each with what must be done about it.

RollguardError
├── Rejected          the input is wrong and stays wrong; a ValueError too
│   ├── Missing       what was named does not exist
│   └── Unverified    nobody who may say it has signed it
├── Retryable         another part did not answer: the same call may succeed later
└── Misconfigured     settings, topics or rights are wrong: an operator must correct them

Nothing that publishes executions raises any of them. The server raises the same classes.
"""


class RollguardError(Exception):
    """Any error of Rollguard's own. Its text is one line for a person."""


class Rejected(RollguardError, ValueError):
    """The input is wrong and stays wrong; the text says what is wrong."""


class Missing(Rejected):
    """What was named does not exist: a tool, a version, a rollback, a pin."""


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


class Misconfigured(RollguardError):
    """Settings, topics or the database schema are wrong, and waiting does not help."""
