"""Run a command with an Apache Kafka: ``python -m tests.support.servers.with_kafka COMMAND …``.

All processes of the command share it, because the start of one takes the CPU time of many tests.
The command finds it in ROLLGUARD_KAFKA_BROKERS; if that is set already, nothing is started.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rollguard.embedded.ports import free_port
from tests.support.servers.kafka import APACHE, running_broker

VARIABLE = "ROLLGUARD_KAFKA_BROKERS"


def main() -> int:
    """Return the exit code of the command."""
    command = sys.argv[1:]
    if os.environ.get(VARIABLE):
        return subprocess.run(command, check=False).returncode
    address = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="rollguard-kafka-") as folder:
        port = address.rpartition(":")[2]
        broker = [str(APACHE), str(Path(folder) / "kafka"), port, str(free_port())]
        with running_broker(broker, address):
            environment = {**os.environ, VARIABLE: address}
            return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
