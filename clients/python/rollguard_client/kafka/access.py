"""The connection to Kafka: addresses, TLS and SASL, in the form that aiokafka takes."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from rollguard_client.errors import Misconfigured

READ_COMMITTED: Final = "read_committed"
"""The isolation level of every consumer: a record of an aborted transaction never happened, and one
of an open transaction has not happened yet."""


class KafkaSettings(Protocol):
    """The settings of a connection. The client's have these, and so have the server's."""

    @property
    def kafka_brokers(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def kafka_security(self) -> str: ...  # noqa: D102
    @property
    def kafka_sasl_mechanism(self) -> str: ...  # noqa: D102
    @property
    def kafka_username(self) -> str | None: ...  # noqa: D102
    @property
    def kafka_secret(self) -> str | None: ...  # noqa: D102
    @property
    def kafka_ca_file(self) -> Path | None: ...  # noqa: D102
    @property
    def kafka_cert_file(self) -> Path | None: ...  # noqa: D102
    @property
    def kafka_key_file(self) -> Path | None: ...  # noqa: D102
    @property
    def topic_prefix(self) -> str: ...  # noqa: D102
    @property
    def wait_s(self) -> float: ...  # noqa: D102
    @property
    def fetch_wait_ms(self) -> int: ...  # noqa: D102


def kafka_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments that every aiokafka client takes.

    Raises Misconfigured if a certificate's file cannot be read.
    """
    return {"bootstrap_servers": list(settings.kafka_brokers)} | security_options(settings)


def consumer_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments that every AIOKafkaConsumer takes; raises as above."""
    return kafka_options(settings) | {"isolation_level": READ_COMMITTED}


def security_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the options for TLS and SASL: the credentials, and the certificates to trust."""
    options: dict[str, Any] = {"security_protocol": settings.kafka_security.upper()}
    if settings.kafka_security.endswith("ssl"):
        options["ssl_context"] = ssl_context(settings)
    if settings.kafka_security.startswith("sasl"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_secret,
        }
    return options


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    """Return a context that always checks certificates and host names.

    Raises Misconfigured, with the name of the file, if a file cannot be used.
    """
    ca, cert, key = settings.kafka_ca_file, settings.kafka_cert_file, settings.kafka_key_file
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"ROLLGUARD_KAFKA_CA_FILE {ca}: {_reason(error)}") from None
    if cert is not None:
        try:
            # With an empty password, OpenSSL does not ask for one on the terminal.
            context.load_cert_chain(cert, key, password="")
        except (OSError, ssl.SSLError) as error:
            files = f"ROLLGUARD_KAFKA_CERT_FILE {cert}, ROLLGUARD_KAFKA_KEY_FILE {key}"
            raise Misconfigured(f"{files}: {_reason(error)}") from None
    return context


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
