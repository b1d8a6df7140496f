"""The errors that the client raises, each with what must be done about it.

RollguardError
├── Rejected          the input is wrong and stays wrong; a ValueError too
├── Retryable         another part did not answer: the same call may succeed later
└── Misconfigured     settings, topics or rights are wrong: an operator must correct them

Nothing that publishes executions raises any of them.
"""


class RollguardError(Exception):
    """Any error of the client's own. Its text is one line for a person."""


class Rejected(RollguardError, ValueError):
    """The input is wrong and stays wrong; the text names what is wrong."""


class Retryable(RollguardError):
    """Another part did not answer; the same call may succeed later.

    ``part`` is 'Kafka', or the role that did not answer.
    """

    def __init__(self, part: str, cause: str) -> None:
        super().__init__(f"{part}: {cause}")
        self.part = part
        self.cause = cause


class Misconfigured(RollguardError):
    """Settings, topics or rights are wrong, and waiting does not help."""
