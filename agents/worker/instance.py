"""The mark of one process of a worker, which no other process has at the same time."""

import hashlib
import os
import socket


def instance_of(pid: int) -> str:
    """Return the mark of the worker of this machine that has this process id.

    It does not show the name of the machine, because whoever may ask for ``/healthz`` sees it.
    """
    return hashlib.sha256(f"{socket.gethostname()}:{pid}".encode()).hexdigest()[:16]


def own_instance() -> str:
    """Return the mark of this process."""
    return instance_of(os.getpid())
