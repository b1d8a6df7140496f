"""The generated parts of pages: a page says ``<!-- generated: NAME -->`` at their position."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from documentation.command_line import command_line_reference
from documentation.database import database_reference
from documentation.errors import errors_reference
from documentation.http_api import http_api_reference
from documentation.log_events import log_events_reference
from documentation.messages import messages_reference
from documentation.metrics import metrics_reference
from documentation.repository_files import changelog, license_text, security_policy
from documentation.settings import settings_reference

PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "messages": messages_reference,
    "settings": settings_reference,
    "database": database_reference,
    "command-line": command_line_reference,
    "http-api": http_api_reference,
    "metrics": metrics_reference,
    "log-events": log_events_reference,
    "errors": errors_reference,
    "changelog": changelog,
    "license": license_text,
    "security-policy": security_policy,
}
_MARKER: Final = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.MULTILINE)


def fill(markdown: str) -> str:
    """Return the page with each marker replaced by the part that it names.

    Raises KeyError if a marker names no part.
    """
    return _MARKER.sub(lambda marker: PARTS[marker[1]](), markdown)
