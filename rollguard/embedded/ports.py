"""Free TCP ports on this machine."""

import socket
from contextlib import suppress
from random import SystemRandom
from typing import Final

_CHANCE: Final = SystemRandom()
"""Not the global generator: processes with the same seed must not find the same ports."""


def free_port() -> int:
    """Return a TCP port that was free on loopback a moment ago; another server may still take it.

    It is below the ports that systems give to outgoing connections. One of those could take the
    port, even while a broker is being restarted.
    """
    while True:
        port = _CHANCE.randrange(15_000, 32_000)
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Return whether no server has this TCP port on loopback now."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False
