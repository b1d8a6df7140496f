"""The reference of the errors that the Python API raises."""

from documentation.markdown import code, prose, table
from rollguard.refusal import DeploymentHeld, DeploymentRefused
from schemas.errors import Misconfigured, Missing, Rejected, Retryable, RollguardError

_ERRORS = (
    *(RollguardError, Rejected, Missing, Retryable, Misconfigured),
    *(DeploymentRefused, DeploymentHeld),
)


def errors_reference() -> str:
    """Return the table of the errors: class, base classes, meaning."""
    rows = [
        (
            code(error.__name__),
            ", ".join(code(base.__name__) for base in error.__bases__),
            prose(error.__doc__ or ""),
        )
        for error in _ERRORS
    ]
    return table(("error", "is a", "meaning"), rows)
