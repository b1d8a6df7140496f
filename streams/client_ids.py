"""The client id of a worker, by which everybody who may describe its group sees its version."""

import re
from importlib.metadata import version
from typing import Final

UNKNOWN_VERSION: Final = "unknown"
_PREFIX: Final = "rollguard-"
_OURS: Final = re.compile(rf"{_PREFIX}([0-9][0-9A-Za-z.+!-]{{0,63}})")


def own_client_id() -> str:
    """Return the client id of this process: ``rollguard-`` and the version of the software."""
    return _PREFIX + version("rollguard")


def version_in(client_id: str) -> str:
    """Return the version that a client id tells; ``unknown`` if it tells none.

    Anybody who may join the group chooses its own client id.
    """
    found = _OURS.fullmatch(client_id)
    return found[1] if found else UNKNOWN_VERSION
