"""The name of this process among the engines."""

import os
import re
import socket

from rollguard_client.settings.settings import Settings

_MOST_OF_HOST = 180


def engine_id_of(settings: Settings) -> str:
    """Return the id that the settings give, or host name and process id.

    Call it in the process that uses it: after a fork it is another one.
    """
    if settings.engine_id is not None:
        return settings.engine_id
    host = re.sub("[^A-Za-z0-9._-]", "-", socket.gethostname())[:_MOST_OF_HOST]
    return f"{host or 'engine'}-{os.getpid()}"
