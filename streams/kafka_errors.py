"""Kafka's errors, translated once into this product's: Retryable, Misconfigured, Rejected."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
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

from schemas.errors import Misconfigured, Rejected, Retryable
from schemas.message import MAX_REQUEST_BYTES
from schemas.settings import Settings
from streams.access import security_options

_REFUSALS: Final = (
    AuthenticationFailedError,
    SaslAuthenticationFailed,
    IllegalSaslStateError,
    UnsupportedSaslMechanismError,
)
_CONNECT_MS: Final = 5_000


@contextmanager
def kafka_errors(settings: Settings) -> Iterator[None]:
    """Translate the errors that aiokafka raises inside.

    Misconfigured for a topic or a group that is missing or not allowed, Rejected for a record that
    is too large, Retryable for everything else.
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
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError) as error:
        raise Misconfigured(
            f"Kafka at {brokers} does not allow {settings.kafka_username!r} this: {error}"
        ) from error
    except KafkaError as error:
        raise retryable(settings, error) from error


@contextmanager
def any_error_retryable(settings: Settings) -> Iterator[None]:
    """Translate every error that aiokafka or the network raises inside to Retryable.

    For work that is tried again whatever the reason is: a look at a worker's health, or an
    operation on topics.
    """
    try:
        yield
    except (KafkaError, OSError) as error:
        raise retryable(settings, error) from error


@asynccontextmanager
async def connecting(settings: Settings) -> AsyncIterator[None]:
    """Translate the errors of a connection that is being opened inside.

    As :func:`kafka_errors`; and Misconfigured if a broker answers, but refuses us or is not
    trusted: aiokafka says only that there is no connection.
    """
    try:
        with kafka_errors(settings):
            yield
    except Retryable:
        await require_welcome(settings)
        raise


async def require_welcome(settings: Settings) -> None:
    """Raise Misconfigured if a broker answers, but refuses us or is not trusted."""
    options = security_options(settings)
    for broker in settings.kafka_brokers:
        host, _, port = broker.rpartition(":")
        try:
            connection = await create_conn(
                host.strip("[]"), int(port), request_timeout_ms=_CONNECT_MS, **options
            )
        except _REFUSALS as error:
            user, kind = settings.kafka_username, type(error).__name__
            # Only the kind of the error: aiokafka's text may contain what was sent.
            raise Misconfigured(f"Kafka at {broker} refuses {user!r}: {kind}") from None
        except ssl.SSLCertVerificationError as error:
            raise Misconfigured(
                f"Kafka at {broker} is not trusted: {error.verify_message}"
            ) from None
        except ssl.SSLError as error:
            raise Misconfigured(f"Kafka at {broker}: no TLS: {error.reason}") from None
        except (OSError, KafkaError):
            continue  # this broker is away, which may pass
        connection.close()


def retryable(settings: Settings, error: Exception) -> Retryable:
    """Return a Kafka error as Retryable, with the addresses of the brokers."""
    brokers = ",".join(settings.kafka_brokers)
    if isinstance(error, KafkaConnectionError | KafkaTimeoutError | OSError):
        return Retryable("Kafka", f"{brokers} does not answer")
    return Retryable("Kafka", f"{brokers}: {error!r}")
