"""Where a registry says what happens: events by name, with fields.

The server's registry gives a logger of structlog; the client writes text to `logging`.
"""

import logging
from typing import Any, Protocol

_LOG = logging.getLogger("rollguard_client")


class EventLog(Protocol):
    """A logger of events, such as one of structlog."""

    def info(self, event: str, **fields: Any) -> Any:
        """Log what is as it should be."""

    def warning(self, event: str, **fields: Any) -> Any:
        """Log what somebody may want to look at."""

    def error(self, event: str, **fields: Any) -> Any:
        """Log what somebody must look at."""

    def exception(self, event: str, **fields: Any) -> Any:
        """Log an error with the exception that is handled now."""


class TextLog:
    """Writes each event as text to the logger ``rollguard_client``."""

    def info(self, event: str, **fields: Any) -> None:
        """Log what is as it should be."""
        _log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Log what somebody may want to look at."""
        _log(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Log what somebody must look at."""
        _log(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """Log an error with the exception that is handled now."""
        _log(logging.ERROR, event, {"exc_info": True} | fields)


def _log(level: int, event: str, fields: dict[str, Any]) -> None:
    exc_info = fields.pop("exc_info", None)
    said = ", ".join(f"{name}={value!s:.2000}" for name, value in fields.items())
    _LOG.log(level, "%s: %s", event.replace("_", " "), said, exc_info=exc_info)
