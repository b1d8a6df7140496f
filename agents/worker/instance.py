"""The name of one process of a worker, which no other process has at the same time."""

import os
import socket


def instance_of(pid: int) -> str:
    """Return the name of the worker of this machine that has this process id: ``host:pid``."""
    host = socket.gethostname().encode("ascii", "replace").decode()
    return f"{host}:{pid}"


def own_instance() -> str:
    """Return the name of this process."""
    return instance_of(os.getpid())
