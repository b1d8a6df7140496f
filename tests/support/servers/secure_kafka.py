"""An Apache Kafka with a second listener: TLS, SCRAM users, and ACLs."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollguard.embedded.ports import free_port
from tests.support.servers.kafka import APACHE, running_broker

USERS = ("operator", "detector", "applier", "recorder", "notifier", "engine", "stranger")


def password_of(user: str) -> str:
    """Return a password that is unusual enough to be found in any output."""
    return f"s3cret-of-{user}"


@dataclass(frozen=True)
class SecureKafka:
    """A broker: ``admin`` is a plain listener with all rights, ``brokers`` is the secure one."""

    admin: str
    brokers: str
    ca_file: Path

    def access(self, user: str, **more: str) -> dict[str, str]:
        """Return the settings with which this user connects."""
        return {
            "kafka_brokers": self.brokers,
            "kafka_security": "sasl_ssl",
            "kafka_username": user,
            "kafka_password": password_of(user),
            "kafka_ca_file": str(self.ca_file),
            **more,
        }


def make_authority(folder: Path, name: str) -> Path:
    """Make a certificate authority, and return its certificate; its key is in the same folder."""
    ca, key = folder / f"{name}.pem", folder / f"{name}.key"
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-keyout", str(key), "-out", str(ca)),
    )
    return ca


def make_certificate(ca: Path, folder: Path, host: str) -> tuple[Path, Path]:
    """Make a signed certificate for ``host`` (``DNS:…`` or ``IP:…``); return it and its key."""
    cert, key, request = folder / "server.crt", folder / "server.key", folder / "server.csr"
    extensions = folder / "extensions"
    extensions.write_text(f"subjectAltName={host}\n")
    _openssl(
        *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server"),
        *("-keyout", str(key), "-out", str(request)),
    )
    _openssl(
        *("x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca)[:-4] + ".key"),
        *("-CAcreateserial", "-days", "2", "-extfile", str(extensions), "-out", str(cert)),
    )
    return cert, key


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@contextmanager
def running_secure_kafka(folder: Path, users: Iterable[str] = USERS) -> Iterator[SecureKafka]:
    """Run a secure broker until the end of the block."""
    ca = make_authority(folder, "authority")
    cert, key = make_certificate(ca, folder, "IP:127.0.0.1")
    data = folder / "kafka"
    data.mkdir()
    (data / "server.pem").write_text(key.read_text() + cert.read_text())
    port, secure = free_port(), free_port()
    environment = {
        "BROKER_SASL_PORT": str(secure),
        "BROKER_USERS": " ".join(f"{user}:{password_of(user)}" for user in users),
    }
    command = [str(APACHE), str(data), str(port), str(free_port())]
    with running_broker(command, f"127.0.0.1:{port}", environment):
        yield SecureKafka(f"127.0.0.1:{port}", f"127.0.0.1:{secure}", ca)


@pytest.fixture(scope="session")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """Run one secure broker for the session. Tests that use it are marked ``kafka``."""
    with running_secure_kafka(tmp_path_factory.mktemp("secure-kafka")) as kafka:
        yield kafka
