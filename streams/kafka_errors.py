"""The translation of Kafka's errors into Retryable, Misconfigured and Rejected."""

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
    """Translate the errors that aiokafka raises inside the block.

    Raises Misconfigured for a topic or a group that is missing or not allowed, Rejected for a
    record that is too large, Retryable for everything else.
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
            f"Kafka at {brokers} does not allow this to {settings.kafka_username!r}: {error}"
        ) from error
    except KafkaError as error:
        raise retryable(settings, error) from error


@contextmanager
def any_error_retryable(settings: Settings) -> Iterator[None]:
    """Translate every error that aiokafka or the network raises inside the block to Retryable.

    For work that is repeated after any error: a sample of a worker's health, or an operation on
    topics.
    """
    try:
        yield
    except (KafkaError, OSError) as error:
        raise retryable(settings, error) from error


@asynccontextmanager
async def connecting(settings: Settings) -> AsyncIterator[None]:
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


async def require_access(settings: Settings) -> None:
    """Raise Misconfigured if a broker refuses the credentials, or is not trusted.

    A broker that does not answer is skipped.
    """
    options = security_options(settings)
    for broker in settings.kafka_brokers:
        host, _, port = broker.rpartition(":")
        try:
            connection = await create_conn(
                host.strip("[]"), int(port), request_timeout_ms=_CONNECT_MS, **options
            )
        except _REFUSALS as error:
            user, kind = settings.kafka_username, type(error).__name__
            # Name only the kind of the error: aiokafka's text may contain the password.
            raise Misconfigured(f"Kafka at {broker} refuses {user!r}: {kind}") from None
        except ssl.SSLCertVerificationError as error:
            raise Misconfigured(
                f"Kafka at {broker} is not trusted: {error.verify_message}"
            ) from None
        except ssl.SSLError as error:
            raise Misconfigured(f"Kafka at {broker}: TLS failed: {error.reason}") from None
        except (OSError, KafkaError):
            continue  # it may answer later
        connection.close()


def retryable(settings: Settings, error: Exception) -> Retryable:
    """Return a Kafka error as Retryable, with the addresses of the brokers."""
    brokers = ",".join(settings.kafka_brokers)
    if isinstance(error, KafkaConnectionError | KafkaTimeoutError | OSError):
        return Retryable("Kafka", f"{brokers} does not answer")
    return Retryable("Kafka", f"{brokers}: {error!r}")
