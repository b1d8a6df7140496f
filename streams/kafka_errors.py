"""Kafka's errors in work that is repeated after any error.

Elsewhere they are translated by ``rollguard_client.kafka.errors``.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import KafkaError

from rollguard_client.kafka.errors import retryable
from schemas.settings import Settings


@contextmanager
def any_error_retryable(settings: Settings) -> Iterator[None]:
    """Translate every error that aiokafka or the network raises inside the block to Retryable.

    For a sample of a worker's health, or an operation on topics.
    """
    try:
        yield
    except (KafkaError, OSError) as error:
        raise retryable(settings, error) from error
