"""The translation of Kafka's errors into Retryable, Misconfigured and Rejected."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
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
from rollguard_client.messages.message import MAX_REQUEST_BYTES
from rollguard_client.settings.settings import Settings

_NOT_ALLOWED: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
_REFUSED: Final = (
    AuthenticationFailedError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)


@contextmanager
def kafka_errors(settings: Settings) -> Iterator[None]:
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
    except (KafkaConnectionError, KafkaTimeoutError, OSError) as error:
        raise Retryable("Kafka", f"{brokers} does not answer") from error
    except KafkaError as error:
        raise Retryable("Kafka", f"{brokers}: {error!r}") from error
