"""The translation of Kafka's errors into Retryable, Misconfigured and Rejected."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
)

from rollguard_client.errors import Misconfigured, Rejected, Retryable
from rollguard_client.kafka.access import KafkaSettings, security_options
from rollguard_client.messages.message import MAX_REQUEST_BYTES

_NOT_ALLOWED: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
_REFUSED: Final = (
    AuthenticationFailedError,
    SaslAuthenticationFailed,
    IllegalSaslStateError,
    UnsupportedSaslMechanismError,
)
_CONNECT_MS: Final = 5_000


@asynccontextmanager
async def connecting(settings: KafkaSettings) -> AsyncIterator[None]:
    """Translate the errors of a connection that is opened inside the block.

    Raises what ``kafka_errors`` raises. Also raises Misconfigured if a broker refuses the
    credentials or is not trusted, because aiokafka reports only that there is no connection.
    """
    try:
        with kafka_errors(settings):
            yield
    except Retryable:
        await require_access(settings)
        raise


async def require_access(settings: KafkaSettings) -> None:
    """Raise Misconfigured if a broker refuses the credentials, or is not trusted.

    A broker that does not answer is skipped.
    """
    options = security_options(settings)
    for broker in settings.kafka_brokers:
        fault = await _fault_of(broker, options)
        if fault is not None:
            raise Misconfigured(f"Kafka at {broker} {fault}")


async def _fault_of(broker: str, options: dict[str, Any]) -> str | None:
    """Return why a broker lets nobody in; None if it does, or if it does not answer."""
    host, _, port = broker.rpartition(":")
    try:
        connection = await create_conn(
            host.strip("[]"), int(port), request_timeout_ms=_CONNECT_MS, **options
        )
    except _REFUSED as error:
        # Name only the kind of the error: aiokafka's text may contain the password.
        return f"refuses {options.get('sasl_plain_username')!r}: {type(error).__name__}"
    except ssl.SSLCertVerificationError as error:
        return f"is not trusted: {error.verify_message}"
    except ssl.SSLError as error:
        return f"cannot be reached: TLS failed: {error.reason}"
    except (OSError, KafkaError):
        return None  # it may answer later
    connection.close()
    return None


@contextmanager
def kafka_errors(settings: KafkaSettings) -> Iterator[None]:
    """Translate the errors that aiokafka raises inside the block.

    Raises Misconfigured for a topic that is missing or not allowed, and for a login that is
    refused; Rejected for a record that is too large; Retryable for everything else.
    """
    brokers = ",".join(settings.kafka_brokers)
    try:
        yield
    except MessageSizeTooLargeError as error:
        raise Rejected(f"the record is larger than {MAX_REQUEST_BYTES} bytes") from error
    except UnknownTopicOrPartitionError as error:
        raise Misconfigured(
            f"a topic is missing at {brokers}: run `rollguard topics` "
            f"(prefix {settings.topic_prefix!r})"
        ) from error
    except _NOT_ALLOWED as error:
        raise Misconfigured(
            f"Kafka at {brokers} does not allow this to {settings.kafka_username!r}: {error}"
        ) from error
    except _REFUSED as error:
        # Name only the kind of the error: aiokafka's text may contain the password.
        raise Misconfigured(
            f"Kafka at {brokers} refuses {settings.kafka_username!r}: {type(error).__name__}"
        ) from None
    except (KafkaError, OSError) as error:
        raise retryable(settings, error) from error


def retryable(settings: KafkaSettings, error: Exception) -> Retryable:
    """Return a Kafka error as Retryable, with the addresses of the brokers."""
    brokers = ",".join(settings.kafka_brokers)
    if isinstance(error, (KafkaConnectionError, KafkaTimeoutError, OSError)):
        return Retryable("Kafka", f"{brokers} does not answer")
    return Retryable("Kafka", f"{brokers}: {error!r}")
