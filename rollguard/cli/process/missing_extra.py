"""A clear text for a verb whose packages are not installed: the extra that brings them."""

from collections.abc import Sequence
from typing import Final

_EXTRAS: Final = {
    "aiohttp": "postgres",
    "asyncpg": "postgres",
    "tenacity": "postgres",
    "mcp": "mcp",
    "faust": "worker",
    "mode": "worker",
    "prometheus_client": "worker",
    "rocksdict": "worker",
    "standardwebhooks": "worker",
    "uvloop": "worker",
    "google": "bridge",
    "opentelemetry": "bridge",
    "fastapi": "console",
    "h11": "console",
    "starlette": "console",
    "uvicorn": "console",
}


_EXTRAS_OF_VERBS: Final = {
    "worker": "worker,postgres",
    "notify": "worker",
    "console": "console",
    "up": "embedded",
    "demo": "embedded",
    "mcp": "mcp",
}
"""Verbs that need more than the package that is found to be missing first."""


def missing_extra(error: ModuleNotFoundError, arguments: Sequence[str]) -> str | None:
    """Return a line that names the extra to install; None if the module belongs to none.

    ``arguments`` are those of the command line; the first one is the verb.
    """
    module = (error.name or "").partition(".")[0]
    if module not in _EXTRAS:
        return None
    verb = arguments[0] if arguments else ""
    extra = _EXTRAS[module]
    if extra != "bridge":  # which brings the others, too
        extra = _EXTRAS_OF_VERBS.get(verb, extra)
    return f"{verb} needs packages that are not installed: pip install 'rollguard[{extra}]'"
