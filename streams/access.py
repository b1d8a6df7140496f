"""How Kafka is reached: addresses, TLS and SASL, as aiokafka wants them. Needs no Faust."""

import ssl
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from schemas.errors import Misconfigured
from schemas.settings import Settings

_REFUSALS = (
    AuthenticationFailedError,
    SaslAuthenticationFailed,
    IllegalSaslStateError,
    UnsupportedSaslMechanismError,
)
_PROBE_MS = 5_000


def kafka_options(settings: Settings) -> dict[str, Any]:
    """The keyword arguments of every aiokafka client. Misconfigured where a certificate's file
    cannot be read.
    """
    return {"bootstrap_servers": list(settings.kafka_brokers)} | _security(settings)


def _security(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"security_protocol": settings.kafka_security.upper()}
    if settings.kafka_security.endswith("ssl"):
        options["ssl_context"] = ssl_context(settings)
    if settings.kafka_security.startswith("sasl"):
        assert settings.kafka_password is not None
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """Certificates and host names are checked, always; against the system's authorities where no
    file is given. Misconfigured that names the file that cannot be used.
    """
    ca, cert, key = settings.kafka_ca_file, settings.kafka_cert_file, settings.kafka_key_file
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"ROLLGUARD_KAFKA_CA_FILE {ca}: {_said(error)}") from None
    if cert is not None:
        try:
            context.load_cert_chain(cert, key, password="")  # never asks on the terminal
        except (OSError, ssl.SSLError) as error:
            files = f"ROLLGUARD_KAFKA_CERT_FILE {cert}, ROLLGUARD_KAFKA_KEY_FILE {key}"
            raise Misconfigured(f"{files}: {_said(error)}") from None
    return context


def _said(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


async def require_welcome(settings: Settings) -> None:
    """Raise Misconfigured where a broker answers, but does not let us in or is not whom we trust.

    To be asked where no connection comes about: aiokafka says only that there is none.
    """
    options = _security(settings)
    for broker in settings.kafka_brokers:
        host, _, port = broker.rpartition(":")
        try:
            connection = await create_conn(
                host.strip("[]"), int(port), request_timeout_ms=_PROBE_MS, **options
            )
        except _REFUSALS as error:
            user = settings.kafka_username
            raise Misconfigured(f"Kafka at {broker} refuses {user!r}: {_kind(error)}") from None
        except ssl.SSLCertVerificationError as error:
            raise Misconfigured(
                f"Kafka at {broker} is not trusted: {error.verify_message}"
            ) from None
        except ssl.SSLError as error:
            raise Misconfigured(f"Kafka at {broker}: no TLS: {error.reason}") from None
        except (OSError, KafkaError):
            continue  # away, which may pass
        connection.close()


def _kind(error: KafkaError) -> str:
    """Aiokafka's text may hold what was sent."""
    return type(error).__name__
