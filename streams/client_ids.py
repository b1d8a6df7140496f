"""The client id of a worker, by which everybody who may describe its group sees its version."""

import re
from importlib.metadata import version
from typing import Final

_UNKNOWN: Final = "unknown"
_PREFIX: Final = "rollguard-"
_OURS: Final = re.compile(rf"{_PREFIX}([0-9][0-9A-Za-z.+!]{{0,63}})(?:-[0-9a-f-]{{36}})?")
"""A client id; or a member id, which a broker makes of it and of a UUID."""


def own_client_id() -> str:
    """Return the client id of this process: ``rollguard-`` and the version of the software."""
    return _PREFIX + version("rollguard")


def version_in(client_id: str, member_id: str = "") -> str:
    """Return the version that a member of a group tells; ``unknown`` if it tells none.

    The embedded broker tells no client ids. Anybody who may join the group chooses its own.
    """
    for each in (client_id, member_id):
        if found := _OURS.fullmatch(each):
            return found[1]
    return _UNKNOWN
