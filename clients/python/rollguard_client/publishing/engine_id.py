"""The name of this process among the engines."""

import os
import re
import socket

_MOST_OF_HOST = 180


def engine_id_of(given: str | None) -> str:
    """Return the id that the settings give, or one of host name and process id.

    Call it in the process that uses it: after a fork it is another one.
    """
    if given is not None:
        return given
    host = re.sub("[^A-Za-z0-9._-]", "-", socket.gethostname())[:_MOST_OF_HOST]
    return f"{host or 'engine'}-{os.getpid()}"
