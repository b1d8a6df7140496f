"""A broker that is started, killed and started again at the same address."""

import os
import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

from rollguard.embedded.broker import broker_command
from rollguard.embedded.ports import free_port
from tests.support.servers.kafka import APACHE, running_broker


class Broker:
    """Apache Kafka keeps its records when it is killed; the embedded broker keeps none."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._port, self._controller = free_port(), free_port()
        self._kind, self._folder = kind, folder
        self.address = f"127.0.0.1:{self._port}"

    def runs(self) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Return a block in which it runs."""
        command = broker_command(self._port)
        if self._kind == "apache":
            command = [str(APACHE), str(self._folder), str(self._port), str(self._controller)]
        return running_broker(command, self.address)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the broker with everything that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
